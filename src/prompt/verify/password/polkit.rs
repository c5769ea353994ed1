//! The D-Bus side: `org.freedesktop.PolicyKit1.Authority` on the system bus, of which only the administrator's program
//! can be the owner, and the policy file that makes an action of ours known to it.

use std::collections::HashMap;
use std::time::Duration;

use zbus::{Connection, Variant};

use super::super::super::Unavailable;
use crate::bus::{Bus, error_name};

const SERVICE: &str = "org.freedesktop.PolicyKit1";
const PATH: &str = "/org/freedesktop/PolicyKit1/Authority";
const AUTHORITY: &str = "org.freedesktop.PolicyKit1.Authority";

const ACTION: &str = "org.wardkey.verify";
/// Any name that is not used twice on one connection.
const CANCELLATION: &str = "verify";

/// Flags of CheckAuthorization.
const QUIETLY: u32 = 0;
const ALLOW_USER_INTERACTION: u32 = 1;

/// How long polkit may take, the user included. The key's own time-out comes first.
const CALL_PATIENCE: Duration = Duration::from_secs(120);

/// Where polkit looks for policy files.
pub(crate) const POLICY_PATH: &str = "/usr/share/polkit-1/actions/org.wardkey.policy";

/// The file that makes [`ACTION`] known: the user's own password each time, never that of an administrator, and never
/// remembered.
pub(crate) const POLICY: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE policyconfig PUBLIC "-//freedesktop//DTD PolicyKit Policy Configuration 1.0//EN"
  "http://www.freedesktop.org/software/polkit/policyconfig-1.dtd">
<policyconfig>
  <vendor>wardkey</vendor>
  <action id="org.wardkey.verify">
    <description>Verify the user of the security key</description>
    <message>Your security key asks for your password, to be sure that it is you who approved its use</message>
    <icon_name>dialog-password</icon_name>
    <defaults>
      <allow_any>auth_self</allow_any>
      <allow_inactive>auth_self</allow_inactive>
      <allow_active>auth_self</allow_active>
    </defaults>
  </action>
</policyconfig>
"#;

/// polkit.
pub(super) struct Authority {
    connection: Connection,
    /// Our name on the bus: the subject whose user is asked for the password.
    subject: String,
}

/// What came of asking for the password.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Authorized,
    /// The password was wrong, or whatever else the policy wants was.
    NotAuthorized,
    /// The user closed the dialogue.
    Dismissed,
}

/// What polkit answers.
struct Authorization {
    is_authorized: bool,
    /// It could be, if the user were asked.
    is_challenge: bool,
    details: HashMap<String, String>,
}

impl Authority {
    pub(super) async fn connect(bus: &Bus) -> Result<Self, Unavailable> {
        let no_bus = |reason: String| {
            Unavailable::new(
                reason,
                "start the D-Bus system bus, or choose another way with --verify",
            )
        };
        let connection = bus.connect(CALL_PATIENCE).await;
        let connection = connection.map_err(|error| no_bus(format!("there is no system bus: {error}")))?;
        let subject = connection.unique_name().map(ToString::to_string);
        let subject = subject.ok_or_else(|| no_bus("the system bus gave this process no name".to_owned()))?;
        Ok(Self { connection, subject })
    }

    /// Whether the policy is to ask for the password.
    pub(super) async fn check_policy(&self) -> Result<(), Unavailable> {
        let authorization = self.check_authorization(QUIETLY).await?;
        match (authorization.is_authorized, authorization.is_challenge) {
            (true, _) => Err(Unavailable::new(
                format!("polkit grants {ACTION} without asking for the password"),
                "remove the rule that does so from /etc/polkit-1/rules.d, and run wardkey as a user other than root",
            )),
            (false, true) => Ok(()),
            (false, false) => Err(Unavailable::new(
                format!("polkit does not allow {ACTION}"),
                "remove the rule that forbids it from /etc/polkit-1/rules.d",
            )),
        }
    }

    /// Waits until the user has entered the password or will not.
    pub(super) async fn ask_for_password(&self) -> Result<Outcome, Unavailable> {
        let authorization = self.check_authorization(ALLOW_USER_INTERACTION).await?;
        if authorization.is_authorized {
            return Ok(Outcome::Authorized);
        }
        if authorization.is_challenge {
            return Err(Unavailable::new(
                "no program of the desktop asks for passwords (there is no polkit agent)",
                "start wardkey in the desktop session, or start an agent such as pkttyagent",
            ));
        }
        let is_dismissed = authorization.details.contains_key("polkit.dismissed");
        Ok(if is_dismissed {
            Outcome::Dismissed
        } else {
            Outcome::NotAuthorized
        })
    }

    /// Ends the dialogue that [`Self::ask_for_password`] began.
    pub(super) async fn cancel(&self) {
        // What cannot be cancelled has ended.
        let _ended = self.call("CancelCheckAuthorization", &CANCELLATION).await;
    }

    async fn check_authorization(&self, flags: u32) -> Result<Authorization, Unavailable> {
        let subject = (
            "system-bus-name",
            HashMap::from([("name", Variant::from(self.subject.as_str()))]),
        );
        let details = HashMap::<&str, &str>::new();
        let reply = self
            .call(
                "CheckAuthorization",
                &(subject, ACTION, details, flags, CANCELLATION),
            )
            .await
            .map_err(failed)?;
        let ((is_authorized, is_challenge, details),) = reply.body().deserialize().map_err(failed)?;
        Ok(Authorization {
            is_authorized,
            is_challenge,
            details,
        })
    }

    async fn call<B>(&self, method: &str, body: &B) -> zbus::Result<zbus::Message>
    where
        B: serde::Serialize + zbus::DynamicType,
    {
        self.connection
            .call_method(Some(SERVICE), PATH, Some(AUTHORITY), method, body)
            .await
    }
}

fn failed(error: zbus::Error) -> Unavailable {
    let text = error.to_string();
    match error_name(&error).as_deref() {
        Some("org.freedesktop.PolicyKit1.Error.Failed") if text.contains("is not registered") => {
            Unavailable::new(
                format!("polkit does not know the action {ACTION}"),
                format!("wardkey doctor --print-policy | sudo tee {POLICY_PATH}"),
            )
        }
        Some("org.freedesktop.DBus.Error.ServiceUnknown") => Unavailable::new(
            "polkit is not installed",
            "install it (the package is polkitd or polkit)",
        ),
        _ => Unavailable::new(
            format!("polkit does not work: {text}"),
            "try again, or choose another way with --verify",
        ),
    }
}
