//! Who is to blame for a refusal.
//!
//! An application that refuses a block names nobody. But staging can try the block without some of the bundles and
//! updates, so a refusal is traced to one with which the application refuses and without which it does not: the
//! first `n` candidates that may wait lead to a refusal, none of them does not, and halving the distance
//! between the two takes a logarithm of passes. The one that is found is then tried with nobody but the earlier
//! ones of its sender. If the application refuses it even so, the bundle is *rejected*, as one that fails is: it
//! would be refused in every block. Otherwise it waits, and comes first in a later block.
//!
//! Where several are guilty, the next search begins with what the last one has found innocent, and with the
//! one behind the last guilty, since who sends one often sends many.
//!
//! What was not refused but did not fit is not traced like this, because the last straw is not to blame. There the
//! one gives way that used the most of what ran out, be it in its own transaction or by what its application
//! does at the end of the block. The first of the block is spared, unless it used more than all others together:
//! whoever had to wait comes first in a later block, and must not wait again.

use std::{cmp::Reverse, collections::BTreeSet};

use resident_base::ApplicationId;
use resident_execution::{Failure, FailureReason, Refusal, Stop};

use super::{Attempt, Candidate, Pass, Staging, Start};
use crate::{BlockError, DropReason, TransactionRunner, committed::refused};

/// So often only one gives way for want of room; after that twice as many every time. A pass over a full block costs a
/// good part of what may be spent on all of them, so room has to be found in a few.
const SINGLE_CROWDINGS: u32 = 1;

/// What is known about who is not to blame.
#[derive(Default)]
pub(super) struct Innocence {
    /// Candidates that were not refused together.
    together: Vec<usize>,
    /// Whether nobody refuses what cannot wait.
    operations: bool,
    /// Whether somebody was found guilty before.
    is_proved: bool,
    /// Where among the suspects the last one who was guilty stood.
    place_of_last: usize,
    /// How often there was no room.
    crowdings: u32,
    /// Who found no room in the pass that was refused.
    crowded: Vec<usize>,
}

/// Candidates one of which is to blame, in their order.
struct Suspects {
    /// Others that are tried with them.
    given: BTreeSet<usize>,
    list: Vec<usize>,
}

/// What a search came to.
enum Found<R: TransactionRunner> {
    /// The suspect at this place, and the pass that was refused with it and those before it.
    Suspect(usize, Pass<R>),
    /// None of them: the pass without any was refused.
    Nobody(Pass<R>),
    /// The budget is used up.
    Nothing(DropReason),
}

/// Who used the most of what ran out.
enum Most {
    /// These, the first of them more than any other.
    Transactions(Vec<usize>),
    /// An application at the end of the block.
    Application(ApplicationId),
}

impl Innocence {
    /// How many of the suspects are known not to be refused together.
    fn of(&self, suspects: &Suspects) -> usize {
        let is_known = suspects.given.is_empty() && suspects.list.starts_with(&self.together);
        match is_known {
            true => self.together.len().min(suspects.list.len() - 1),
            false => 0,
        }
    }
}

impl Suspects {
    fn all<R: TransactionRunner>(pass: &Pass<R>) -> Self {
        Self {
            given: BTreeSet::new(),
            list: pass.attempt.accepted().iter().copied().collect(),
        }
    }

    /// Those that entered an application.
    fn touching<R: TransactionRunner>(pass: &Pass<R>, application_id: &ApplicationId) -> Self {
        let has_touched = |position| pass.tracker.has_touched(position, application_id);
        let accepted = pass.attempt.accepted_positions();
        let (touching, others): (Vec<_>, Vec<_>) =
            accepted.partition(|(position, _)| has_touched(*position));
        Self {
            given: others.into_iter().map(|(_, index)| index).collect(),
            list: touching.into_iter().map(|(_, index)| index).collect(),
        }
    }

    /// What is tried if only the first ones of the list are.
    fn first(&self, count: usize) -> BTreeSet<usize> {
        let list = self.list[..count].iter().copied();
        self.given.iter().copied().chain(list).collect()
    }
}

impl Staging<'_> {
    /// Settles at least one of the candidates because of which a pass was refused.
    ///
    /// # Errors
    /// If there is none.
    pub(super) fn settle<R: TransactionRunner>(
        &mut self,
        mut pass: Pass<R>,
        start: &mut Start<'_, R>,
    ) -> Result<(), BlockError> {
        let accepted = pass.attempt.accepted();
        if accepted.is_empty() {
            return Err(no_block(pass));
        }
        if let Some(reason) = self.reason_to_close() {
            self.close(&Suspects::all(&pass).list, &reason);
            return Ok(());
        }
        self.innocence.crowded = pass.attempt.crowded().to_vec();
        let mut suspects = match self.who_used_most(&pass) {
            Some(Most::Transactions(indexes)) => return self.give_way(&indexes, pass, start),
            Some(Most::Application(id)) => Suspects::touching(&pass, &id),
            None => Suspects::all(&pass),
        };
        if suspects.list.is_empty() {
            suspects = Suspects::all(&pass);
        }
        loop {
            match self.find(&suspects, pass, start)? {
                Found::Nothing(reason) => {
                    self.close(&suspects.list, &reason);
                    return Ok(());
                }
                Found::Nobody(without) if without.attempt.accepted().is_empty() => {
                    return Err(no_block(without));
                }
                Found::Nobody(without) => {
                    suspects = Suspects::all(&without);
                    pass = without;
                }
                Found::Suspect(place, refused) => {
                    return self.settle_suspect(suspects, place, refused, start);
                }
            }
        }
    }

    /// One of the suspects, at this place in their list, makes an application refuse.
    fn settle_suspect<R: TransactionRunner>(
        &mut self,
        suspects: Suspects,
        place: usize,
        refused: Pass<R>,
        start: &mut Start<'_, R>,
    ) -> Result<(), BlockError> {
        if suspects.given.is_empty()
            && let Some(Most::Transactions(indexes)) = self.who_used_most(&refused)
        {
            return self.give_way(&indexes, refused, start);
        }
        let is_another = self.innocence.is_proved && suspects.given.is_empty();
        let distance = place.saturating_sub(self.innocence.place_of_last);
        self.convict(suspects.list[place], refused, start)?;
        self.innocence.place_of_last = place;
        match is_another {
            true => self.settle_next_suspects(suspects, place, distance, start),
            false => Ok(()),
        }
    }

    /// Where two stand together there may be more, and as near: they are looked for among the next few, since a pass
    /// over everybody costs the more. At this place in the list stands who is behind the last one found, and before it
    /// the innocent ones.
    fn settle_next_suspects<R: TransactionRunner>(
        &mut self,
        mut suspects: Suspects,
        mut place: usize,
        mut distance: usize,
        start: &mut Start<'_, R>,
    ) -> Result<(), BlockError> {
        loop {
            let is_open = |index: &usize| self.candidates[*index].is_open();
            suspects.list.retain(is_open);
            let (end, most) = (place + 2 * distance + 1, suspects.list.len());
            // A pass over all of them is what comes next anyway.
            let is_all = end > most || distance > 0 && end == most;
            if is_all || self.reason_to_close().is_some() {
                return Ok(());
            }
            let tried = self.pass(Some(suspects.first(end)), start)?;
            if tried.refusal.is_none() {
                self.innocence.together = suspects.list[..end].to_vec();
                return Ok(());
            }
            self.innocence.together = suspects.list[..place].to_vec();
            let next = Suspects {
                given: BTreeSet::new(),
                list: suspects.list[..end].to_vec(),
            };
            let Found::Suspect(found, refused) = self.find(&next, tried, start)? else {
                return Ok(());
            };
            if let Some(Most::Transactions(indexes)) = self.who_used_most(&refused) {
                return self.give_way(&indexes, refused, start);
            }
            self.convict(suspects.list[found], refused, start)?;
            self.innocence.place_of_last = found;
            (place, distance) = (found, found - place);
        }
    }

    /// Finds one of the suspects with which, and those before it, there is a refusal, and not without it. The
    /// pass with all of them was refused.
    fn find<R: TransactionRunner>(
        &mut self,
        suspects: &Suspects,
        mut refused: Pass<R>,
        start: &mut Start<'_, R>,
    ) -> Result<Found<R>, BlockError> {
        let mut innocent = self.innocence.of(suspects);
        let mut guilty = suspects.list.len();
        if innocent == 0 && !(suspects.given.is_empty() && self.operations_are_innocent()) {
            let without = self.pass(Some(suspects.first(0)), start)?;
            if without.refusal.is_some() {
                return Ok(Found::Nobody(without));
            }
            self.innocence.operations |= suspects.given.is_empty();
        }
        let mut is_near = self.innocence.is_proved;
        while guilty - innocent > 1 {
            if let Some(reason) = self.reason_to_close() {
                self.innocence.together = suspects.first(innocent).into_iter().collect();
                return Ok(Found::Nothing(reason));
            }
            let step = match std::mem::take(&mut is_near) {
                true => 1,
                false => (guilty - innocent) / 2,
            };
            let tried = self.pass(Some(suspects.first(innocent + step)), start)?;
            match tried.refusal {
                Some(_) => (guilty, refused) = (innocent + step, tried),
                None => innocent += step,
            }
        }
        if suspects.given.is_empty() {
            self.innocence.together = suspects.list[..innocent].to_vec();
        }
        Ok(Found::Suspect(innocent, refused))
    }

    /// Rejects a bundle that is refused alone, and leaves any other candidate out. `refused` is a pass that was
    /// refused with it.
    fn convict<R: TransactionRunner>(
        &mut self,
        index: usize,
        refused: Pass<R>,
        start: &mut Start<'_, R>,
    ) -> Result<(), BlockError> {
        self.innocence.is_proved = true;
        let Pass {
            attempt, refusal, ..
        } = refused;
        let Some(refusal) = refusal else {
            return Ok(());
        };
        let failure = match refusal.stop {
            Stop::Failure(failure) => failure,
            // What the application wants to know at the end of the block is not known here.
            Stop::Missing(data) => {
                self.remove(index, DropReason::Missing(data));
                return Ok(());
            }
            Stop::Fault(fault) => return Err(fault.into()),
        };
        // Who has no tokens today may have some tomorrow.
        let known = (!refusal.is_unpaid).then_some(&failure);
        match self.refused_alone(index, attempt.accepted(), known, start)? {
            Some(failure) => self.candidates[index].reject_for_good(failure),
            None => self.leave_out(index, attempt.accepted(), &failure),
        }
        Ok(())
    }

    /// Leaves out what is refused with others; or, if those are all later ones of its sender, which would have to
    /// wait with it, leaves them out.
    fn leave_out(&mut self, index: usize, together: &BTreeSet<usize>, failure: &Failure) {
        let origin = self.candidates[index].origin();
        let is_own = |other: &usize| self.candidates[*other].origin() == origin;
        let has_fitted = matches!(failure.reason, FailureReason::Crowded(_));
        // The room that is made is not for those who had found none.
        let crowded = match has_fitted {
            true => std::mem::take(&mut self.innocence.crowded),
            false => Vec::new(),
        };
        let is_first = together.first() == Some(&index) && together.len() > 1;
        if has_fitted && is_first && origin.is_some() && together.iter().all(is_own) {
            for later in together.iter().skip(1) {
                self.remove(*later, DropReason::Refused(failure.clone()));
            }
        } else {
            self.remove(index, DropReason::Refused(failure.clone()));
        }
        for index in crowded {
            self.remove(index, DropReason::Failed(failure.clone()));
        }
    }

    /// Why a bundle is refused with nobody else in the block, if it is the first of its sender there. With those in
    /// `together` it is refused because of `failure`.
    fn refused_alone<R: TransactionRunner>(
        &mut self,
        index: usize,
        together: &BTreeSet<usize>,
        failure: Option<&Failure>,
        start: &mut Start<'_, R>,
    ) -> Result<Option<Failure>, BlockError> {
        let Some(failure) = failure.filter(|_| self.may_be_rejected(index)) else {
            return Ok(None);
        };
        if matches!(failure.reason, FailureReason::Crowded(_)) {
            return self.fits_no_block(index, start);
        }
        // What an earlier one of its sender has done in this block may be why. In the next one it is the first.
        let origin = self.candidates[index].origin();
        let is_own = |earlier: &usize| self.candidates[*earlier].origin() == origin;
        if together.range(..index).any(is_own) {
            return Ok(None);
        }
        let alone = BTreeSet::from([index]);
        let failure = if *together == alone {
            failure.clone()
        } else {
            match self
                .pass(Some(alone), start)?
                .refusal
                .map(|refusal| *refusal)
            {
                Some(Refusal {
                    stop: Stop::Failure(failure),
                    is_unpaid: false,
                    ..
                }) => failure,
                _ => return Ok(None),
            }
        };
        if self.operations_are_innocent() {
            return Ok(Some(failure));
        }
        let without = self.pass(Some(BTreeSet::new()), start)?;
        Ok(without.refusal.is_none().then_some(failure))
    }

    /// Why there would be no room for a bundle even if it were all of the block, if so.
    fn fits_no_block<R: TransactionRunner>(
        &mut self,
        index: usize,
        start: &mut Start<'_, R>,
    ) -> Result<Option<Failure>, BlockError> {
        let pass = self.pass_of(Attempt::alone(index), start)?;
        Ok(match pass.refusal.map(|refusal| *refusal) {
            Some(Refusal {
                stop: Stop::Failure(failure),
                is_unpaid: false,
                ..
            }) => Some(failure).filter(Failure::is_limit),
            _ => None,
        })
    }

    /// Whether nobody refuses a block of what cannot wait. An empty one enters no application.
    fn operations_are_innocent(&self) -> bool {
        let cannot_wait = |candidate: &Candidate| !candidate.transaction.may_wait();
        self.innocence.operations || !self.candidates.iter().any(cannot_wait)
    }

    /// If a pass was refused for want of room, who used the most of it.
    fn who_used_most<R: TransactionRunner>(&self, pass: &Pass<R>) -> Option<Most> {
        let refusal = pass.refusal.as_ref()?;
        let Stop::Failure(Failure {
            reason: FailureReason::Crowded(kind),
            ..
        }) = refusal.stop
        else {
            return None;
        };
        let used = |(position, index)| (pass.tracker.used(position, kind), index);
        let mut used: Vec<(u64, usize)> = pass.attempt.accepted_positions().map(used).collect();
        if used.len() > 1 && self.is_spared(&used) {
            used.remove(0);
        }
        used.sort_by_key(|used| Reverse(*used));
        let most_used = used.first().map_or(0, |(used, _)| *used);
        let application = refusal.shares.iter().max_by_key(|(_, used)| **used);
        match application {
            Some((id, used)) if *used > most_used => Some(Most::Application(*id)),
            _ if most_used == 0 => None,
            _ => {
                let doublings = self.innocence.crowdings.saturating_sub(SINGLE_CROWDINGS);
                let count = 1 << doublings.min(20);
                let most = used.into_iter().take(count);
                Some(Most::Transactions(most.map(|(_, index)| index).collect()))
            }
        }
    }

    /// Whether the first of these does not give way: it used no more than all others together, or there would be
    /// nobody left.
    fn is_spared(&self, used: &[(u64, usize)]) -> bool {
        let Some(((first_used, first), others)) = used.split_first() else {
            return false;
        };
        let origin = self.candidates[*first].origin();
        let total: u64 = others.iter().map(|(used, _)| *used).sum();
        let is_of_another = |(_, index): &(u64, usize)| self.candidates[*index].origin() != origin;
        *first_used <= total || !others.iter().any(is_of_another)
    }

    /// Lets those who used most of what ran out give way, the first of whom may be refused even alone.
    fn give_way<R: TransactionRunner>(
        &mut self,
        indexes: &[usize],
        pass: Pass<R>,
        start: &mut Start<'_, R>,
    ) -> Result<(), BlockError> {
        self.innocence.crowdings += 1;
        let Some((most, others)) = indexes.split_first() else {
            return Ok(());
        };
        let Some(Stop::Failure(failure)) = pass.refusal.as_ref().map(|refusal| &refusal.stop)
        else {
            return Ok(());
        };
        let failure = failure.clone();
        for other in others {
            self.remove(*other, DropReason::Refused(failure.clone()));
        }
        self.convict(*most, pass, start)
    }

    fn reason_to_close(&mut self) -> Option<DropReason> {
        match self.is_closing {
            true => None,
            false => self.budget.used_up(),
        }
    }

    /// The budget is used up. Of those accepted together and refused, nobody stays but who is known to be innocent;
    /// or else the first that can be rejected, whose case is decided by what becomes of it.
    fn close(&mut self, accepted: &[usize], reason: &DropReason) {
        self.is_closing = true;
        let mut kept: BTreeSet<usize> = std::mem::take(&mut self.innocence.together)
            .into_iter()
            .filter(|index| self.candidates[*index].is_open())
            .collect();
        if kept.is_empty() {
            kept.extend(self.first_to_decide(accepted));
        }
        let is_left_out = |index: &usize| {
            let candidate = &self.candidates[*index];
            candidate.transaction.may_wait() && candidate.is_open() && !kept.contains(index)
        };
        if let Some(first) = (0..self.candidates.len()).find(is_left_out) {
            self.reopen_behind(first);
        }
        for index in (0..self.candidates.len()).rev() {
            let candidate = &self.candidates[index];
            if !candidate.transaction.may_wait() || !candidate.is_open() || kept.contains(&index) {
                continue;
            }
            // Nothing that stays may overtake an earlier one of its sender.
            let origin = candidate.origin();
            let is_overtaken = |later: &usize| self.candidates[*later].origin() == origin;
            match origin.is_some() && kept.range(index..).any(is_overtaken) {
                true => drop(kept.insert(index)),
                false => self.candidates[index].remove(reason.clone()),
            }
        }
    }

    /// Sees to it that what may still be spent is enough for the next pass, with those who were accepted in the last.
    pub(super) fn save_budget(&mut self, accepted: &BTreeSet<usize>) {
        if self.is_closing {
            return;
        }
        let open = accepted.iter().copied();
        let open: Vec<usize> = open
            .filter(|index| self.candidates[*index].is_open())
            .collect();
        if let Some(reason) = self.budget.used_up() {
            self.close(&open, &reason);
        } else if self.budget.is_half_spent() {
            self.halve(&open);
        }
    }

    /// Leaves out the second half of those that were accepted together and are still to be tried. They are the next in
    /// turn, and a pass over half of them costs half as much: otherwise the budget would be used up by passes over all, and
    /// a single one would be left.
    fn halve(&mut self, open: &[usize]) {
        let Some(first) = open.get(open.len().div_ceil(2)) else {
            return;
        };
        // Those who failed behind them wait, too.
        self.reopen_behind(*first);
        for candidate in &mut self.candidates[*first..] {
            if candidate.transaction.may_wait() {
                candidate.remove(DropReason::FuelBudget);
            }
        }
    }

    /// The first that can be rejected and is its sender's first, or else the first of all.
    fn first_to_decide(&self, accepted: &[usize]) -> Option<usize> {
        let mut senders = BTreeSet::new();
        let mut first = accepted
            .iter()
            .filter(|index| senders.insert(self.candidates[**index].origin()));
        first
            .find(|index| self.may_be_rejected(**index))
            .or(accepted.first())
            .copied()
    }
}

/// No candidate that may wait is to blame.
fn no_block<R: TransactionRunner>(pass: Pass<R>) -> BlockError {
    if let Some((index, failure)) = pass.attempt.crowded_out() {
        let (index, failure) = (*index, failure.clone());
        return BlockError::TransactionFailed { index, failure };
    }
    let refusal = pass.refusal.expect("the pass was refused");
    refused(*refusal)
}
