//! Which applications may do what on a chain.

use serde::{Deserialize, Serialize};

use crate::{ApplicationId, GenericApplicationId};

/// What a chain permits to applications. The default restricts nothing and privileges none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct ApplicationPermissions {
    /// The only applications whose operations the chain executes, if set; the system's are then refused too.
    pub execute_operations: Option<Vec<ApplicationId>>,
    /// Applications that every block with operations must contain an operation or an accepted message of. A block that
    /// only takes what came from outside need not.
    pub mandatory_applications: Vec<ApplicationId>,
    /// Applications that may close the chain and change its owners.
    pub manage_chain: Vec<ApplicationId>,
    /// Applications that may change these permissions.
    pub change_application_permissions: Vec<ApplicationId>,
    /// The only applications that may query services as oracles, if set.
    pub call_service_as_oracle: Option<Vec<ApplicationId>>,
    /// The only applications that may make HTTP requests, if set.
    pub make_http_requests: Option<Vec<ApplicationId>>,
}

impl ApplicationPermissions {
    /// A chain for one application only, which may do everything.
    pub fn new_single(application_id: ApplicationId) -> Self {
        let only = vec![application_id];
        Self {
            execute_operations: Some(only.clone()),
            mandatory_applications: only.clone(),
            manage_chain: only.clone(),
            change_application_permissions: only.clone(),
            call_service_as_oracle: Some(only.clone()),
            make_http_requests: Some(only),
        }
    }

    /// Whether operations of this application may be executed.
    pub fn can_execute_operations(&self, application_id: &GenericApplicationId) -> bool {
        match (application_id, &self.execute_operations) {
            (_, None) => true,
            (GenericApplicationId::System, Some(_)) => false,
            (GenericApplicationId::User(id), Some(permitted)) => permitted.contains(id),
        }
    }

    /// Whether this application may close the chain and change its owners.
    pub fn can_manage_chain(&self, application_id: &ApplicationId) -> bool {
        self.manage_chain.contains(application_id)
    }

    /// Whether this application may change these permissions.
    pub fn can_change_application_permissions(&self, application_id: &ApplicationId) -> bool {
        self.change_application_permissions.contains(application_id)
    }

    /// Whether this application may query services as oracles.
    pub fn can_call_services(&self, application_id: &ApplicationId) -> bool {
        is_permitted(self.call_service_as_oracle.as_deref(), application_id)
    }

    /// Whether this application may make HTTP requests.
    pub fn can_make_http_requests(&self, application_id: &ApplicationId) -> bool {
        is_permitted(self.make_http_requests.as_deref(), application_id)
    }
}

fn is_permitted(permitted: Option<&[ApplicationId]>, application_id: &ApplicationId) -> bool {
    permitted.is_none_or(|permitted| permitted.contains(application_id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CryptoHash;

    #[test]
    fn a_single_application_may_do_everything_and_no_other_anything() {
        let ours = ApplicationId::new(CryptoHash::test_hash("ours"));
        let theirs = ApplicationId::new(CryptoHash::test_hash("theirs"));
        let permissions = ApplicationPermissions::new_single(ours);
        for (id, expected) in [(ours, true), (theirs, false)] {
            assert_eq!(permissions.can_execute_operations(&id.into()), expected);
            assert_eq!(permissions.can_manage_chain(&id), expected);
            assert_eq!(
                permissions.can_change_application_permissions(&id),
                expected
            );
            assert_eq!(permissions.can_call_services(&id), expected);
            assert_eq!(permissions.can_make_http_requests(&id), expected);
        }
        assert!(!permissions.can_execute_operations(&GenericApplicationId::System));
    }

    #[test]
    fn by_default_nothing_is_restricted_and_nobody_privileged() {
        let id = ApplicationId::default();
        let permissions = ApplicationPermissions::default();
        assert!(permissions.can_execute_operations(&GenericApplicationId::System));
        assert!(permissions.can_call_services(&id) && permissions.can_make_http_requests(&id));
        assert!(!permissions.can_manage_chain(&id));
        assert!(!permissions.can_change_application_permissions(&id));
    }
}
