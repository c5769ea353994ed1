//! The channels of one port: bounded, the least recently used is given up (CTAP 2.3 §11.2.5.2).

use super::packet::ChannelId;

/// How many channels a port has. Some clients open one for every command and never say goodbye.
pub const CHANNELS_MAX: usize = 32;

/// Least recently used first.
#[derive(Default)]
pub(super) struct Channels(heapless::Vec<ChannelId, CHANNELS_MAX>);

impl Channels {
    /// Whether `cid` is allocated here.
    pub(super) fn contains(&self, cid: ChannelId) -> bool {
        self.0.contains(&cid)
    }

    /// Marks `cid` as just used; says whether it is allocated here.
    pub(super) fn touch(&mut self, cid: ChannelId) -> bool {
        let Some(position) = self.0.iter().position(|own| *own == cid) else {
            return false;
        };
        if let Some(later) = self.0.get_mut(position..) {
            later.rotate_left(1);
        }
        true
    }

    /// Adds `cid`. When there is no room the least recently used channel that is not `in_use` goes.
    pub(super) fn add(&mut self, cid: ChannelId, in_use: Option<ChannelId>) {
        if self.0.is_full()
            && let Some(oldest) = self.0.iter().position(|own| Some(*own) != in_use)
        {
            self.0.remove(oldest);
        }
        let added = self.0.push(cid);
        debug_assert!(
            added.is_ok(),
            "one channel is in use, and there is room for more than one"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> Channels {
        let mut channels = Channels::default();
        (1..)
            .take(CHANNELS_MAX)
            .for_each(|id| channels.add(ChannelId(id), None));
        channels
    }

    #[test]
    fn the_least_recently_used_channel_is_given_up() {
        let mut channels = full();
        assert!(channels.touch(ChannelId(1)));
        channels.add(ChannelId(100), None);
        assert!(channels.contains(ChannelId(1)));
        assert!(!channels.contains(ChannelId(2)));
        assert!(channels.contains(ChannelId(100)));
    }

    #[test]
    fn the_channel_in_use_is_never_given_up() {
        let mut channels = full();
        for id in 100..200 {
            channels.add(ChannelId(id), Some(ChannelId(1)));
        }
        assert!(channels.contains(ChannelId(1)));
    }
}
