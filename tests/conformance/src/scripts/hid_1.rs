//! `hid-1`: CTAPHID, CTAP 2.3 §11.2.

use std::collections::HashSet;
use std::time::Duration;

use wardkey_sim::fido_client::Status;
use wardkey_sim::hid_client::{ChannelId, Command, HidError};
use wardkey_sim::report::Report;

use crate::bench::{Bench, MAKE_CREDENTIAL};
use crate::case::{Case, Outcome, Script, Stop, ensure, ensure_eq, refused};
use crate::frames::{AT_ONCE, Frames, Initial, SILENCE};
use crate::key::User;

const NO_LOCK: &str =
    "LOCK is optional and this key does not have it; wardkey-hid/lock-is-unknown shows that";

pub(super) const SCRIPT: Script = Script {
    name: "hid-1",
    cases: &[
        Case::new("P-1", "says nothing while nobody asks", idle_is_silent),
        Case::new(
            "P-2",
            "ignores a continuation packet without a message",
            stray_continuation,
        ),
        Case::new("P-3", "answers INIT as it is specified, byte for byte", init),
        Case::new("P-4", "gives every INIT another channel", channels_differ),
        Case::new("P-5", "echoes PING", ping),
        Case::new("P-6", "echoes a PING of 1024 bytes", long_ping),
        Case::new("P-7", "gives up half a PING when INIT comes", init_ends_ping),
        Case::new(
            "P-8",
            "echoes a PING that begins with zero",
            ping_with_leading_zero,
        ),
        Case::new("P-9", "sends KEEPALIVE while it waits for the user", keepalive),
        Case::new("P-10", "ends makeCredential on CANCEL, once", cancel),
        Case::new(
            "P-11",
            "says that there is no credential, without a touch",
            unknown_credential,
        ),
        Case::new("P-12", "answers WINK with nothing in it", wink),
        Case::skipped("P-13", "takes LOCK", NO_LOCK),
        Case::skipped("P-14", "keeps others out while it is locked", NO_LOCK),
        Case::new("P-15", "ends selection on CANCEL, once", cancel_selection),
        Case::new("F-1", "refuses an unknown command", unknown_command),
        Case::new("F-2", "refuses INIT on channel 0", init_on_channel_0),
        Case::new("F-3", "refuses PING on channel 0", ping_on_channel_0),
        Case::new("F-4", "refuses continuation packets out of order", out_of_order),
    ],
};

const BROADCAST: ChannelId = ChannelId::BROADCAST;

fn idle_is_silent(bench: &mut Bench) -> Outcome {
    Frames::of(bench).silence(Duration::from_secs(3))
}

fn stray_continuation(bench: &mut Bench) -> Outcome {
    let frames = Frames::of(bench);
    let mut packet = bench.rng.bytes();
    for (slot, byte) in packet.iter_mut().zip(frames.channel.0.to_be_bytes()) {
        *slot = byte;
    }
    // The sequence number: a continuation packet has the highest bit clear.
    packet[4] &= 0x7F;
    frames.send_reports(&[Report(packet)])?;
    frames.silence(Duration::from_secs(1))
}

/// Sends INIT on a channel, and gives the answer.
fn ask_init(frames: &Frames, nonce: [u8; 8]) -> Result<Initial, Stop> {
    frames.send(Command::INIT, &nonce)?;
    let answer = frames.initial(AT_ONCE)?;
    ensure_eq!(answer.command, Command::INIT, "the answer to INIT");
    ensure_eq!(answer.channel, frames.channel, "the channel of the answer");
    ensure_eq!(answer.length, 17, "the length of the answer");
    ensure!(answer.data.starts_with(&nonce), "the answer has another nonce");
    Ok(answer)
}

fn new_channel(answer: &Initial) -> ChannelId {
    let [_, _, _, _, _, _, _, _, c0, c1, c2, c3, ..] = answer.data;
    ChannelId(u32::from_be_bytes([c0, c1, c2, c3]))
}

fn init(bench: &mut Bench) -> Outcome {
    const WINK: u8 = 0x01;
    const CBOR: u8 = 0x04;
    const NMSG: u8 = 0x08;
    let frames = Frames::of(bench).on(BROADCAST);
    let answer = ask_init(&frames, bench.rng.bytes())?;
    let channel = new_channel(&answer);
    ensure!(
        channel.0 != 0 && channel != BROADCAST,
        "channel {channel:?} was given"
    );
    ensure_eq!(answer.data.get(12), Some(&2), "the version of CTAPHID");
    let capabilities = answer.data[16];
    ensure_eq!(
        capabilities & !(WINK | CBOR | NMSG),
        0,
        "capabilities that do not exist"
    );
    ensure!(
        capabilities & CBOR != 0,
        "the key does not say that it speaks CTAP2"
    );
    Ok(())
}

fn channels_differ(bench: &mut Bench) -> Outcome {
    let frames = Frames::of(bench).on(BROADCAST);
    let mut given = HashSet::new();
    for _ in 0..3 {
        let answer = ask_init(&frames, bench.rng.bytes())?;
        ensure!(given.insert(new_channel(&answer)), "a channel was given twice");
    }
    Ok(())
}

fn ping(bench: &mut Bench) -> Outcome {
    let payload = bench.rng.bytes::<32>();
    Frames::of(bench).echo(&payload)
}

fn long_ping(bench: &mut Bench) -> Outcome {
    let payload = bench.rng.bytes::<1024>();
    Frames::of(bench).echo(&payload)
}

fn init_ends_ping(bench: &mut Bench) -> Outcome {
    let frames = Frames::of(bench);
    let mut reports = frames.reports(Command::PING, &bench.rng.bytes::<512>())?;
    reports.pop();
    frames.send_reports(&reports)?;
    let answer = ask_init(&frames, bench.rng.bytes())?;
    ensure_eq!(new_channel(&answer), frames.channel, "the channel in the answer");
    Ok(())
}

fn ping_with_leading_zero(bench: &mut Bench) -> Outcome {
    let mut payload = bench.rng.bytes::<48>();
    payload[0] = 0;
    Frames::of(bench).echo(&payload)
}

/// Sends makeCredential to a key whose user is not there.
fn start_registration(bench: &mut Bench) -> Result<Frames, Stop> {
    bench.user(User::Absent)?;
    let message = [&[MAKE_CREDENTIAL], bench.registration().to_bytes().as_slice()].concat();
    let frames = Frames::of(bench);
    frames.send(Command::CBOR, &message)?;
    Ok(frames)
}

fn keepalive(bench: &mut Bench) -> Outcome {
    let frames = start_registration(bench)?;
    frames.keepalive()?;
    frames.cancel()
}

fn cancel(bench: &mut Bench) -> Outcome {
    let frames = start_registration(bench)?;
    frames.keepalive()?;
    frames.cancel()?;
    // The key is of use again.
    bench.user(User::Agrees)?;
    let request = bench.registration();
    bench.register(&request).map(drop)
}

/// Since CTAP 2.1 a key looks for credentials before it asks anybody: §6.2.2 step 7.
fn unknown_credential(bench: &mut Bench) -> Outcome {
    bench.user(User::Absent)?;
    let mut request = bench.assertion_for("example.org");
    request.allow_list = vec![bench.rng.bytes::<32>().to_vec()];
    refused(bench.client().get_assertion(&request), Status::NO_CREDENTIALS)
}

fn wink(bench: &mut Bench) -> Outcome {
    if !bench.client().pipe_mut().init_reply().capabilities.has_wink() {
        return Err(Stop::NotApplicable("the key cannot wink"));
    }
    let frames = Frames::of(bench);
    frames.send(Command::WINK, &[])?;
    let answer = frames.initial(AT_ONCE)?;
    ensure_eq!(answer.command, Command::WINK, "the answer to WINK");
    ensure_eq!(answer.length, 0, "the length of the answer");
    ensure_eq!(answer.data, [0; 57], "the padding of the answer");
    Ok(())
}

fn cancel_selection(bench: &mut Bench) -> Outcome {
    const SELECTION: u8 = 0x0B;
    bench.user(User::Absent)?;
    let frames = Frames::of(bench);
    frames.send(Command::CBOR, &[SELECTION])?;
    frames.keepalive()?;
    frames.cancel()
}

fn unknown_command(bench: &mut Bench) -> Outcome {
    let frames = Frames::of(bench);
    frames.send(Command(0x20), &[])?;
    frames.error(HidError::INVALID_CMD)
}

fn init_on_channel_0(bench: &mut Bench) -> Outcome {
    let frames = Frames::of(bench).on(ChannelId(0));
    frames.send(Command::INIT, &bench.rng.bytes::<8>())?;
    frames.error(HidError::INVALID_CHANNEL)
}

fn ping_on_channel_0(bench: &mut Bench) -> Outcome {
    let frames = Frames::of(bench).on(ChannelId(0));
    frames.send(Command::PING, &bench.rng.bytes::<16>())?;
    frames.error(HidError::INVALID_CHANNEL)
}

fn out_of_order(bench: &mut Bench) -> Outcome {
    let frames = Frames::of(bench);
    let mut reports = frames.reports(Command::PING, &bench.rng.bytes::<1024>())?;
    reports.swap(3, 5);
    frames.send_reports(&reports)?;
    frames.error(HidError::INVALID_SEQ)?;
    frames.silence(SILENCE)
}
