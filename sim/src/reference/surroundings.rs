//! What the reference authenticator finds around it: flash, a clock and a user. They are there also while it has no
//! power, and say what a test wants them to say.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use trussed::platform::{Platform, UserInterface};
use trussed::virt;
use trussed_core::types::consent::Level;

use super::flash::Flash;

/// How long the user has to touch the authenticator.
pub(super) const USER_TIMEOUT_MS: u32 = 30_000;

/// What the user does when asked. This authenticator knows no way to refuse but not to touch it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum User {
    /// Touches it.
    Touches,
    /// Does nothing until the authenticator gives up.
    Ignores,
}

/// Flash, a clock and a user.
pub struct Surroundings {
    flash: Flash,
    is_new: bool,
    world: Arc<Mutex<World>>,
}

struct World {
    now: Duration,
    powered_up: Duration,
    user: User,
}

impl Surroundings {
    /// Empty flash, time zero, and a user who agrees to everything.
    pub fn new() -> Self {
        let world = World {
            now: Duration::ZERO,
            powered_up: Duration::ZERO,
            user: User::Touches,
        };
        Self {
            flash: Flash::new(),
            is_new: true,
            world: Arc::new(Mutex::new(world)),
        }
    }

    /// Another handle to the clock and the user, to use while the authenticator has power.
    pub fn controls(&self) -> Controls {
        Controls(Arc::clone(&self.world))
    }

    pub(super) fn flash(&self) -> Flash {
        self.flash.clone()
    }

    /// The uptime starts anew. Whether the flash has to be formatted.
    pub(super) fn power_up(&mut self) -> bool {
        let mut world = lock(&self.world);
        world.powered_up = world.now;
        std::mem::replace(&mut self.is_new, false)
    }

    pub(super) fn around<'a>(&self, platform: virt::Platform<'a>) -> Surrounded<'a> {
        Surrounded {
            platform,
            interface: Interface(Arc::clone(&self.world)),
        }
    }
}

impl Default for Surroundings {
    fn default() -> Self {
        Self::new()
    }
}

/// The clock and the user.
pub struct Controls(Arc<Mutex<World>>);

impl Controls {
    /// What the clock shows.
    pub fn now(&self) -> Duration {
        lock(&self.0).now
    }

    /// Sets the clock.
    pub fn set_now(&self, now: Duration) {
        lock(&self.0).now = now;
    }

    /// Says what the user does from now on.
    pub fn set_user(&self, user: User) {
        lock(&self.0).user = user;
    }
}

fn lock(world: &Mutex<World>) -> MutexGuard<'_, World> {
    // Every change is one assignment.
    world.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Trussed's platform with these surroundings.
pub(super) struct Surrounded<'a> {
    platform: virt::Platform<'a>,
    interface: Interface,
}

impl<'a> Platform for Surrounded<'a> {
    type R = <virt::Platform<'a> as Platform>::R;
    type S = <virt::Platform<'a> as Platform>::S;
    type UI = Interface;

    fn rng(&mut self) -> &mut Self::R {
        self.platform.rng()
    }

    fn store(&self) -> Self::S {
        self.platform.store()
    }

    fn user_interface(&mut self) -> &mut Self::UI {
        &mut self.interface
    }
}

/// The user, as Trussed sees one.
pub(super) struct Interface(Arc<Mutex<World>>);

impl UserInterface for Interface {
    fn check_user_presence(&mut self) -> Level {
        let mut world = lock(&self.0);
        match world.user {
            User::Touches => Level::Normal,
            User::Ignores => {
                // It asks again and again until its time is over.
                world.now += Duration::from_millis(u64::from(USER_TIMEOUT_MS) + 1);
                Level::None
            }
        }
    }

    fn uptime(&mut self) -> Duration {
        let world = lock(&self.0);
        world.now.saturating_sub(world.powered_up)
    }
}
