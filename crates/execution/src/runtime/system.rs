//! Operations and messages of the chain itself.

use resident_base::{
    Account, AccountOwner, Amount, ApplicationDescription, ApplicationId, Blob, BlobContent,
    Bytecode, ChainDescription, ChainId, ChainOrigin, GenericApplicationId, InitialChainConfig,
    ModuleId, VmRuntime,
};
use resident_wasm::{prepare_contract, prepare_service};
use serde::Serialize;

use super::{Authority, Entry, RuntimeHandle, balances};
use crate::{
    Action, FailureReason, Message, MessageContext, MessageKind, Operation, OutgoingMessage, Stop,
    SystemMessage, SystemOperation, policy::host_cost,
};

/// What an action costs by itself. Tokens that arrive were paid for where they were sent, and what returns has to come back
/// whole.
fn action_fuel(action: &Action) -> u64 {
    match action {
        Action::Message {
            message: Message::System(_),
            ..
        } => 0,
        action => {
            let bytes = action.size_bytes().saturating_mul(host_cost::ACTION_BYTE);
            bytes.saturating_add(host_cost::ACTION)
        }
    }
}

impl RuntimeHandle {
    /// Runs one action, and gives its response.
    pub(crate) fn run(&mut self, action: Action) -> Result<Vec<u8>, Stop> {
        self.check_open()?;
        let opening_fuel = std::mem::take(&mut self.usage.opening_fuel);
        let fuel = opening_fuel.saturating_add(action_fuel(&action));
        match action.application_id() {
            // It is a part of what the application has spent.
            Some(_) => self.transaction.entry_fuel = fuel,
            None => self.usage.charge_fuel(fuel)?,
        }
        match action {
            Action::Operation(Operation::User {
                application_id,
                bytes,
            }) => {
                self.begin_operation(Some(application_id), bytes.len())?;
                self.check_permitted(application_id.into())?;
                let authority = Authority::of_signer(self.context.authenticated_owner);
                let response = self.enter(application_id, authority, Entry::Operation(bytes))?;
                self.keep(response.len())?;
                Ok(response)
            }
            Action::Operation(Operation::System(operation)) => {
                let size = bcs::serialized_size(&operation).unwrap_or(usize::MAX);
                self.begin_operation(None, size)?;
                self.check_permitted(GenericApplicationId::System)?;
                self.run_system(operation)
            }
            Action::ProcessStreams(update) => self.update_subscriber(update),
            Action::Message { context, message } => self.receive(context, message),
        }
    }

    fn begin_operation(
        &mut self,
        application: Option<ApplicationId>,
        bytes: usize,
    ) -> Result<(), Stop> {
        self.transaction.message = None;
        self.begin_charging(application);
        let policy = self.context.policy.clone();
        self.usage.operation(bytes as u64, &policy)
    }

    /// A chain may let only some applications execute operations.
    fn check_permitted(&mut self, id: GenericApplicationId) -> Result<(), Stop> {
        let config = self.config.clone();
        let permissions = &config.application_permissions;
        let searched = permissions.execute_operations.as_ref().map_or(0, Vec::len);
        self.usage
            .charge_fuel(searched as u64 * host_cost::PERMISSION)?;
        match permissions.can_execute_operations(&id) {
            true => Ok(()),
            false => Err(FailureReason::NotPermitted(id).into()),
        }
    }

    fn receive(&mut self, context: MessageContext, message: Message) -> Result<Vec<u8>, Stop> {
        self.transaction.message = Some(context);
        self.begin_charging(message.application_id());
        match message {
            Message::User {
                application_id,
                bytes,
            } => {
                let authority = Authority::of_signer(context.authenticated_owner);
                self.enter(application_id, authority, Entry::Message(bytes))?;
            }
            Message::System(SystemMessage::Credit {
                target,
                amount,
                source,
            }) => {
                if context.is_bouncing {
                    balances::credit(&mut self.journal, source, amount)?;
                } else {
                    self.credit(target, amount)?;
                }
            }
        }
        self.charge_message(&context)?;
        Ok(Vec::new())
    }

    fn run_system(&mut self, operation: SystemOperation) -> Result<Vec<u8>, Stop> {
        match operation {
            SystemOperation::Transfer {
                owner,
                recipient,
                amount,
            } => {
                self.check_signed_for(owner)?;
                self.transfer_tokens(owner, recipient, amount)?;
                Ok(Vec::new())
            }
            SystemOperation::OpenChain {
                ownership,
                balance,
                application_permissions,
            } => {
                self.check_signed_for(AccountOwner::CHAIN)?;
                let config = InitialChainConfig {
                    ownership,
                    balance,
                    application_permissions,
                };
                self.open_chain(config, AccountOwner::CHAIN)
                    .map(|id| encode(&id))
            }
            SystemOperation::PublishModule {
                contract,
                service,
                vm_runtime,
            } => {
                let fuel = self.check_code(&contract, &service, vm_runtime)?;
                let policy = self.context.policy.clone();
                self.usage.charge_outside_fuel(fuel, &policy);
                self.publish_module(contract, service, vm_runtime)
                    .map(|id| encode(&id))
            }
            SystemOperation::CreateApplication {
                module_id,
                parameters,
                instantiation_argument,
                required_application_ids,
            } => {
                let description = self.describe(module_id, parameters, required_application_ids);
                let authority = Authority::of_signer(self.context.authenticated_owner);
                self.create_application(&description, instantiation_argument, authority)
                    .map(|id| encode(&id))
            }
            SystemOperation::PublishDataBlob { bytes } => {
                self.publish_data_blob(bytes).map(|hash| encode(&hash))
            }
            SystemOperation::CloseChain => {
                self.check_signed_for(AccountOwner::CHAIN)?;
                self.set_closed()?;
                Ok(Vec::new())
            }
        }
    }

    /// Moves native tokens. The caller has checked that they may be moved.
    pub(super) fn transfer_tokens(
        &mut self,
        source: AccountOwner,
        recipient: Account,
        amount: Amount,
    ) -> Result<(), Stop> {
        self.usage.charge_fuel(host_cost::TRANSFER)?;
        self.charge_account(source)?;
        balances::debit(&mut self.journal, source, amount)?;
        if recipient.chain_id == self.context.chain_id {
            return self.credit(recipient.owner, amount);
        }
        self.usage
            .charge_fuel(host_cost::ACTION + host_cost::MESSAGE)?;
        let credit = SystemMessage::Credit {
            target: recipient.owner,
            amount,
            source,
        };
        self.send(OutgoingMessage::new(
            recipient.chain_id,
            MessageKind::Tracked,
            Message::System(credit),
        ))
    }

    /// Adds to what an owner has. An account that is new stays in the state for as long as it has anything, so
    /// it is paid for like any other write; the chain's own is always there.
    fn credit(&mut self, owner: AccountOwner, amount: Amount) -> Result<(), Stop> {
        self.charge_account(owner)?;
        let is_new = balances::credit(&mut self.journal, owner, amount)?;
        if is_new && owner != AccountOwner::CHAIN {
            let bytes = balances::account_bytes(owner);
            self.usage.charge_fuel(bytes * host_cost::WRITTEN_BYTE)?;
            let policy = self.context.policy.clone();
            self.usage.write(bytes, &policy)?;
        }
        self.check_memory()
    }

    /// Pays for a change of what an owner has, if it is the block's first.
    fn charge_account(&mut self, owner: AccountOwner) -> Result<(), Stop> {
        match balances::is_written(&self.journal, owner) {
            true => Ok(()),
            false => self.usage.charge_fuel(host_cost::FIRST_WRITE),
        }
    }

    fn check_signed_for(&self, owner: AccountOwner) -> Result<(), Stop> {
        match self.context.authenticated_owner {
            None => Err(FailureReason::NotSigned.into()),
            Some(_) if owner == AccountOwner::CHAIN => Ok(()),
            Some(signer) if signer == owner => Ok(()),
            Some(_) => Err(FailureReason::NotAuthorized {
                source_owner: owner,
            }
            .into()),
        }
    }

    /// Opens a chain. The caller has checked that the payer's tokens may be spent.
    pub(super) fn open_chain(
        &mut self,
        config: InitialChainConfig,
        payer: AccountOwner,
    ) -> Result<ChainId, Stop> {
        // Tokens on a chain that nobody can use would be lost.
        if !config.ownership.is_active() {
            return Err(FailureReason::BadOwnership.into());
        }
        self.usage.charge_fuel(host_cost::OPEN_CHAIN)?;
        balances::debit(&mut self.journal, payer, config.balance)?;
        let description = ChainDescription {
            origin: ChainOrigin::Child {
                parent: self.context.chain_id,
                block_height: self.context.height,
                chain_index: self.counters.chains,
            },
            config,
            timestamp: self.context.timestamp,
        };
        self.counters.chains += 1;
        self.create_blob(Blob::new(BlobContent::new_chain_description(&description)))?;
        Ok(description.id())
    }

    pub(super) fn publish_module(
        &mut self,
        contract: Bytecode,
        service: Bytecode,
        vm_runtime: VmRuntime,
    ) -> Result<ModuleId, Stop> {
        let contract = self.create_blob(Blob::new(BlobContent::new_contract_bytecode(contract)))?;
        let service = self.create_blob(Blob::new(BlobContent::new_service_bytecode(service)))?;
        Ok(ModuleId::new(contract.hash, service.hash, vm_runtime))
    }

    /// Checks a module's code, and says what it costs in fuel to compile it, which every node has to do that runs it.
    ///
    /// It is paid when it is published and not when it is compiled: which node compiles what, and how often, is its
    /// own affair.
    pub(super) fn check_code(
        &mut self,
        contract: &Bytecode,
        service: &Bytecode,
        vm_runtime: VmRuntime,
    ) -> Result<u64, Stop> {
        if vm_runtime != VmRuntime::Wasm {
            return Err(FailureReason::EvmUnsupported.into());
        }
        let policy = self.context.policy.clone();
        self.usage.module(&policy)?;
        let prepared =
            prepare_contract::<RuntimeHandle>(&contract.bytes).map_err(FailureReason::Module)?;
        let fuel = prepared.compile_work * host_cost::COMPILE_NANOSECOND;
        // A module may do without a service.
        if service.bytes.is_empty() {
            return Ok(fuel);
        }
        let prepared =
            prepare_service::<RuntimeHandle>(&service.bytes).map_err(FailureReason::Service)?;
        let share = prepared.compile_work / host_cost::SERVICE_SHARE;
        Ok(fuel.saturating_add(share * host_cost::COMPILE_NANOSECOND))
    }

    pub(super) fn describe(
        &mut self,
        module_id: ModuleId,
        parameters: Vec<u8>,
        required_application_ids: Vec<ApplicationId>,
    ) -> ApplicationDescription {
        let application_index = self.counters.applications;
        self.counters.applications += 1;
        ApplicationDescription {
            module_id,
            creator_chain_id: self.context.chain_id,
            block_height: self.context.height,
            application_index,
            parameters,
            required_application_ids,
        }
    }

    pub(super) fn create_application(
        &mut self,
        description: &ApplicationDescription,
        argument: Vec<u8>,
        authority: Authority,
    ) -> Result<ApplicationId, Stop> {
        let id = ApplicationId::from(description);
        let content = BlobContent::new_application_description(description);
        self.create_blob(Blob::new(content))?;
        self.enter(id, authority, Entry::Instantiate(argument))?;
        Ok(id)
    }
}

fn encode(id: &impl Serialize) -> Vec<u8> {
    bcs::to_bytes(id).expect("an identifier is a plain value")
}
