//! `wardkey-hid`: CTAPHID between channels and at the edges, CTAP 2.3 §11.2.

use std::time::Duration;

use wardkey_sim::fido_client::Status;
use wardkey_sim::hid_client::{ChannelId, Command, HidError};
use wardkey_sim::report::Report;

use crate::bench::{Bench, MAKE_CREDENTIAL};
use crate::case::{Case, Outcome, Script, Stop, ensure, ensure_eq, refused};
use crate::frames::{AT_ONCE, Frames, SILENCE};
use crate::key::User;

pub(super) const SCRIPT: Script = Script {
    name: "wardkey-hid",
    cases: &[
        Case::new("lock-is-unknown", "does not know LOCK", lock_is_unknown),
        Case::new(
            "init-length",
            "refuses INIT whose nonce is not 8 bytes",
            init_length,
        ),
        Case::new(
            "init-elsewhere",
            "answers INIT while it receives from another channel",
            init_elsewhere,
        ),
        Case::new(
            "channel-was-never-given",
            "refuses a channel that nobody was given",
            channel_never_given,
        ),
        Case::new(
            "busy-receiving",
            "tells other channels that it is receiving",
            busy_receiving,
        ),
        Case::new(
            "busy-processing",
            "tells everybody that it is waiting for the user",
            busy_processing,
        ),
        Case::new(
            "too-long",
            "refuses a message that CTAPHID cannot carry",
            too_long,
        ),
        Case::new("longest", "echoes the longest message", longest),
        Case::new("timeout", "gives up half a message after half a second", timeout),
        Case::new(
            "no-continuation",
            "gives up a message when another one begins",
            no_continuation,
        ),
        Case::new("empty", "refuses CBOR and MSG without content", empty),
        Case::new(
            "idle-cancel",
            "ignores CANCEL when there is nothing to cancel",
            idle_cancel,
        ),
        Case::new(
            "cancel-elsewhere",
            "ignores CANCEL from another channel",
            cancel_elsewhere,
        ),
        Case::new("replug", "forgets channels when it loses power", replug),
        Case::new(
            "keepalive-rate",
            "sends KEEPALIVE at least every 100 ms",
            keepalive_rate,
        ),
    ],
};

fn lock_is_unknown(bench: &mut Bench) -> Outcome {
    for seconds in [0, 8] {
        let frames = Frames::of(bench);
        frames.send(Command::LOCK, &[seconds])?;
        frames.error(HidError::INVALID_CMD)?;
    }
    Ok(())
}

fn init_length(bench: &mut Bench) -> Outcome {
    let frames = Frames::of(bench).on(ChannelId::BROADCAST);
    for length in [0, 7, 9, 57] {
        frames.send(Command::INIT, &vec![1; length])?;
        frames.error(HidError::INVALID_LEN)?;
    }
    Ok(())
}

/// Half a message on the channel of the client, and the other half.
fn halves(bench: &mut Bench) -> Result<(Frames, Vec<Report>, Vec<u8>), Stop> {
    let payload = bench.rng.bytes::<100>().to_vec();
    let frames = Frames::of(bench);
    let mut reports = frames.reports(Command::PING, &payload)?;
    let rest = reports.split_off(1);
    frames.send_reports(&reports)?;
    Ok((frames, rest, payload))
}

fn finishes(frames: &Frames, rest: &[Report], payload: &[u8]) -> Outcome {
    frames.send_reports(rest)?;
    let (command, answer) = frames.message(AT_ONCE)?;
    ensure!(
        command == Command::PING && answer == payload,
        "the first channel was disturbed"
    );
    Ok(())
}

fn init_elsewhere(bench: &mut Bench) -> Outcome {
    let (frames, rest, payload) = halves(bench)?;
    let broadcast = frames.on(ChannelId::BROADCAST);
    broadcast.send(Command::INIT, &bench.rng.bytes::<8>())?;
    ensure_eq!(broadcast.message(AT_ONCE)?.0, Command::INIT, "the answer to INIT");
    finishes(&frames, &rest, &payload)
}

fn channel_never_given(bench: &mut Bench) -> Outcome {
    let frames = Frames::of(bench);
    let stranger = frames.on(ChannelId(frames.channel.0 ^ 0x5A5A_5A5A));
    stranger.send(Command::PING, &[1])?;
    stranger.error(HidError::INVALID_CHANNEL)
}

fn busy_receiving(bench: &mut Bench) -> Outcome {
    let mut other = bench.another_client()?;
    let (frames, rest, payload) = halves(bench)?;
    let other = frames.on(other.pipe_mut().init_reply().channel);
    other.send(Command::PING, &[1])?;
    other.error(HidError::CHANNEL_BUSY)?;
    finishes(&frames, &rest, &payload)
}

/// Sends makeCredential to a key whose user is not there.
fn waiting(bench: &mut Bench) -> Result<Frames, Stop> {
    bench.user(User::Absent)?;
    let message = [&[MAKE_CREDENTIAL], bench.registration().to_bytes().as_slice()].concat();
    let frames = Frames::of(bench);
    frames.send(Command::CBOR, &message)?;
    frames.keepalive()?;
    Ok(frames)
}

/// The next frame that is not KEEPALIVE says that the key is busy.
fn is_busy(frames: &Frames) -> Outcome {
    frames.send(Command::PING, &[1])?;
    loop {
        let frame = frames.initial(AT_ONCE)?;
        if frame.command == Command::KEEPALIVE {
            continue;
        }
        ensure_eq!(
            (frame.channel, frame.command),
            (frames.channel, Command::ERROR),
            "the answer"
        );
        ensure_eq!(
            frame.data.first().copied(),
            Some(HidError::CHANNEL_BUSY.0),
            "the error"
        );
        return Ok(());
    }
}

fn busy_processing(bench: &mut Bench) -> Outcome {
    let mut other = bench.another_client()?;
    let frames = waiting(bench)?;
    let other = frames.on(other.pipe_mut().init_reply().channel);
    is_busy(&other)?;
    is_busy(&frames)?;
    frames.cancel()
}

fn too_long(bench: &mut Bench) -> Outcome {
    const LONGEST: u16 = 7609;
    let frames = Frames::of(bench);
    let [high, low] = (LONGEST + 1).to_be_bytes();
    let mut packet = [0; 64];
    let head = frames
        .channel
        .0
        .to_be_bytes()
        .into_iter()
        .chain([Command::PING.0 | 0x80, high, low]);
    for (slot, byte) in packet.iter_mut().zip(head) {
        *slot = byte;
    }
    frames.send_reports(&[Report(packet)])?;
    frames.error(HidError::INVALID_LEN)
}

fn longest(bench: &mut Bench) -> Outcome {
    let payload = bench.rng.bytes::<7609>();
    Frames::of(bench).echo(&payload)
}

fn timeout(bench: &mut Bench) -> Outcome {
    let (frames, rest, _) = halves(bench)?;
    let answer = frames.initial(Duration::from_secs(1))?;
    ensure_eq!(answer.command, Command::ERROR, "the answer");
    ensure_eq!(
        answer.data.first().copied(),
        Some(HidError::MSG_TIMEOUT.0),
        "the error"
    );
    frames.send_reports(&rest)?;
    frames.silence(SILENCE)
}

fn no_continuation(bench: &mut Bench) -> Outcome {
    let (frames, rest, _) = halves(bench)?;
    frames.send(Command::PING, &[1])?;
    frames.error(HidError::INVALID_SEQ)?;
    frames.send_reports(&rest)?;
    frames.silence(SILENCE)
}

fn empty(bench: &mut Bench) -> Outcome {
    let frames = Frames::of(bench);
    for command in [Command::CBOR, Command::MSG] {
        frames.send(command, &[])?;
        frames.error(HidError::INVALID_LEN)?;
    }
    Ok(())
}

fn idle_cancel(bench: &mut Bench) -> Outcome {
    let frames = Frames::of(bench);
    frames.send(Command::CANCEL, &[])?;
    frames.silence(SILENCE)
}

fn cancel_elsewhere(bench: &mut Bench) -> Outcome {
    let mut other = bench.another_client()?;
    let frames = waiting(bench)?;
    let other = frames.on(other.pipe_mut().init_reply().channel);
    other.send(Command::CANCEL, &[])?;
    frames.keepalive()?;
    frames.keepalive()?;
    frames.cancel()
}

fn replug(bench: &mut Bench) -> Outcome {
    let old = Frames::of(bench);
    bench.power_cycle()?;
    let new = Frames::of(bench);
    let old = new.on(old.channel);
    if old.channel == new.channel {
        return Ok(());
    }
    old.send(Command::PING, &[1])?;
    old.error(HidError::INVALID_CHANNEL)
}

fn keepalive_rate(bench: &mut Bench) -> Outcome {
    let frames = waiting(bench)?;
    for _ in 0..5 {
        let next = frames.initial(Duration::from_millis(150))?;
        ensure_eq!(next.command, Command::KEEPALIVE, "the next frame");
    }
    frames.cancel()?;
    bench.user(User::Agrees)?;
    let unknown = bench.assertion_for("example.org");
    refused(bench.client().get_assertion(&unknown), Status::NO_CREDENTIALS)
}
