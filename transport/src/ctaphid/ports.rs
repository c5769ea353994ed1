//! Hosts and raw clients: each has its own channels and its own outbox, and none can reach another's.

use super::channels::Channels;
use super::outbox::Outbox;
use super::packet::ChannelId;

/// How many ports a link serves; reports of further ones are dropped unread.
pub const PORTS_MAX: usize = 32;

/// One way into the key: a USB host or a raw client. The number is the caller's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Port(pub u32);

/// A channel of a port: who opened a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) port: Port,
    pub(super) cid: ChannelId,
}

/// All ports that have spoken.
pub(super) struct Ports {
    entries: Vec<Entry>,
    last_cid: ChannelId,
}

/// What belongs to one port.
pub(super) struct Entry {
    port: Port,
    channels: Channels,
    pub(super) outbox: Outbox,
}

impl Ports {
    pub(super) fn new() -> Self {
        Self {
            entries: Vec::new(),
            last_cid: ChannelId::RESERVED,
        }
    }

    /// Makes room for `port`; says whether there is some.
    pub(super) fn admit(&mut self, port: Port) -> bool {
        if self.entries.iter().any(|entry| entry.port == port) {
            return true;
        }
        if self.entries.len() >= PORTS_MAX {
            return false;
        }
        self.entries.push(Entry {
            port,
            channels: Channels::default(),
            outbox: Outbox::default(),
        });
        true
    }

    pub(super) fn forget(&mut self, port: Port) {
        self.entries.retain(|entry| entry.port != port);
    }

    /// Forgets all ports, but not which channel ids were given out: an old one stays invalid.
    pub(super) fn clear(&mut self) {
        self.entries.clear();
    }

    pub(super) fn outbox(&mut self, port: Port) -> Option<&mut Outbox> {
        self.entry(port).map(|entry| &mut entry.outbox)
    }

    pub(super) fn outboxes(&self) -> impl Iterator<Item = &Outbox> {
        self.entries.iter().map(|entry| &entry.outbox)
    }

    pub(super) fn entries(&mut self) -> impl Iterator<Item = (Port, &mut Outbox)> {
        self.entries
            .iter_mut()
            .map(|entry| (entry.port, &mut entry.outbox))
    }

    /// Marks the channel as just used; says whether its port has it.
    pub(super) fn touch(&mut self, owner: Owner) -> bool {
        self.entry(owner.port)
            .is_some_and(|entry| entry.channels.touch(owner.cid))
    }

    /// Gives `port` a new channel, without giving up the one that is in use.
    pub(super) fn allocate(&mut self, port: Port, in_use: Option<Owner>) -> ChannelId {
        let cid = self.next_cid();
        let in_use = in_use.filter(|owner| owner.port == port).map(|owner| owner.cid);
        if let Some(entry) = self.entry(port) {
            entry.channels.add(cid, in_use);
        }
        cid
    }

    /// Counts up, so that a channel id that was given up is not given out again soon.
    fn next_cid(&mut self) -> ChannelId {
        loop {
            self.last_cid = ChannelId(self.last_cid.0.wrapping_add(1));
            let cid = self.last_cid;
            let is_reserved = cid == ChannelId::RESERVED || cid == ChannelId::BROADCAST;
            if !is_reserved && !self.entries.iter().any(|entry| entry.channels.contains(cid)) {
                return cid;
            }
        }
    }

    fn entry(&mut self, port: Port) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| entry.port == port)
    }
}
