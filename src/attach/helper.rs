//! The helper: the only part of wardkey that runs as root. It holds no keys; it takes requests from the key
//! process over one socket, and touches nothing but the virtual USB host controller.
//!
//! Everything it is told is checked: what is attached is a Unix stream socket and nothing else, on a port that
//! the helper chose; what is detached is a device that it attached itself. When the socket closes, it detaches
//! what is left, and ends.

use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use rustix::fs::{FileType, fstat};
use rustix::net::{AddressFamily, Shutdown, SocketType, shutdown, sockopt};
use rustix::process::setsid;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::protocol::{Problem, Received, Reply, Request, receive_request, send_reply};
use super::sysfs::{AttachError, DeviceId, PortNumber, Vhci};
use super::{Error, is_root, this_program};

/// Devices that one helper attaches at a time. One key needs one.
const ATTACHED_MAX: usize = 4;
/// Where distributions keep it; root's `PATH` is not asked.
const MODPROBE: [&str; 4] = [
    "/usr/sbin/modprobe",
    "/sbin/modprobe",
    "/usr/bin/modprobe",
    "/bin/modprobe",
];
const MODULE: &str = "vhci-hcd";

/// The hidden command that sudo or pkexec runs.
pub(crate) const COMMAND: &str = "vhci-helper";
/// Its option that [`start`] adds.
pub(crate) const SERVE_OPTION: &str = "--serve";

/// `wardkey vhci-helper`: starts the process that serves the socket on standard input, and ends.
///
/// sudo stays between the terminal and its command for as long as the command runs. So the serving process leaves
/// sudo's session, and this one ends once it has: then Ctrl-C and answers to questions go to the key process alone.
pub(crate) fn start() -> Result<(), Error> {
    let control = std::io::stdin()
        .as_fd()
        .try_clone_to_owned()
        .map_err(Error::Control)?;
    check_control_socket(control.as_fd())?;
    let program = this_program()?;
    let mut command = Command::new(&program);
    command.args([COMMAND, SERVE_OPTION]).env_clear().current_dir("/");
    command
        .stdin(Stdio::from(control))
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut serving = command.spawn().map_err(|cause| Error::Start {
        program: program.display().to_string(),
        cause,
    })?;
    // A byte when it has left the session, or the end of the pipe when it could not start: then the key process
    // sees its socket end.
    let mut has_left = [0; 1];
    let _count = serving.stdout.take().map(|mut output| output.read(&mut has_left));
    Ok(())
}

/// `wardkey vhci-helper --serve`: serves the socket that is standard input until it closes.
pub(crate) fn run() -> Result<(), Error> {
    let control = std::io::stdin()
        .as_fd()
        .try_clone_to_owned()
        .map_err(Error::Control)?;
    check_control_socket(control.as_fd())?;
    end_on_signals(&control)?;
    // Fails only for the leader of a group, which has a session to itself already or is not ours to leave.
    let _already_apart = setsid();
    // Whoever waits for it may be gone, which changes nothing for this process.
    let _unheard = std::io::stdout()
        .write_all(b"\n")
        .and_then(|()| std::io::stdout().flush());
    serve(control.as_fd(), &mut Service::of_this_machine());
    Ok(())
}

/// Standard input has to be the socket that the key process made. A `sudo` that records what is typed puts a
/// pipe in between.
fn check_control_socket(control: BorrowedFd<'_>) -> Result<(), Error> {
    let is_it = sockopt::socket_domain(control) == Ok(AddressFamily::UNIX)
        && sockopt::socket_type(control) == Ok(SocketType::SEQPACKET);
    if is_it {
        Ok(())
    } else {
        Err(Error::NoControlSocket)
    }
}

/// Being asked to end is like the key process closing the socket.
fn end_on_signals(control: &OwnedFd) -> Result<(), Error> {
    let control = control.try_clone().map_err(Error::Control)?;
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).map_err(Error::Control)?;
    let close = move || {
        for _signal in signals.forever() {
            // Already closed by the other side: the helper is ending anyway.
            let _closed = shutdown(&control, Shutdown::Both);
        }
    };
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(close)
        .map_err(Error::Control)?;
    Ok(())
}

/// Answers requests until the socket closes, then detaches what is still attached.
pub(super) fn serve(control: BorrowedFd<'_>, service: &mut Service) {
    loop {
        let reply = match receive_request(control) {
            Ok(Received::Request(request)) => service.answer(request),
            Ok(Received::Nonsense(what)) => Reply::Failed(Problem::BadRequest, what.to_owned()),
            Ok(Received::End) | Err(_) => break,
        };
        if send_reply(control, &reply).is_err() {
            break;
        }
    }
    service.detach_all();
}

/// What the helper has attached, and where.
pub(super) struct Service {
    vhci: Vhci,
    load_module: fn() -> Result<(), String>,
    check_rights: fn() -> bool,
    attached: Vec<(PortNumber, DeviceId)>,
    next_device: u32,
}

impl Service {
    pub(super) fn of_this_machine() -> Self {
        Self::new(Vhci::of_this_machine(), load_module, is_root)
    }

    fn new(vhci: Vhci, load_module: fn() -> Result<(), String>, check_rights: fn() -> bool) -> Self {
        // Differs from one helper to the next, so that a port is recognised as ours.
        let next_device = (std::process::id() & 0x7fff) << 16 | 1;
        Self {
            vhci,
            load_module,
            check_rights,
            attached: Vec::new(),
            next_device,
        }
    }

    /// A helper with all rights on a made-up sysfs, where no module can be loaded.
    #[cfg(test)]
    pub(super) fn for_tests(vhci: Vhci) -> Self {
        Self::new(
            vhci,
            || Err("modprobe: FATAL: Module vhci-hcd not found".to_owned()),
            || true,
        )
    }

    fn answer(&mut self, request: Request) -> Reply {
        let answered = match request {
            Request::Probe => self.probe(),
            Request::Attach(device_end) => self.attach(&device_end),
            Request::Detach(port) => self.detach(port),
        };
        answered.unwrap_or_else(|(problem, detail)| Reply::Failed(problem, detail))
    }

    fn probe(&self) -> Result<Reply, (Problem, String)> {
        self.prepare()?;
        let free_ports = self.vhci.free_ports().map_err(refused)?;
        Ok(Reply::Ready { free_ports })
    }

    fn attach(&mut self, device_end: &OwnedFd) -> Result<Reply, (Problem, String)> {
        if !is_device_socket(device_end.as_fd()) {
            return Err((
                Problem::BadRequest,
                "only a Unix stream socket can be attached".to_owned(),
            ));
        }
        self.prepare()?;
        self.forget_detached().map_err(refused)?;
        if self.attached.len() >= ATTACHED_MAX {
            return Err((
                Problem::BadRequest,
                format!("{ATTACHED_MAX} devices are attached already"),
            ));
        }
        let device = DeviceId(self.next_device);
        let port = self
            .vhci
            .attach(device_end.as_fd(), device)
            .map_err(|error| match error {
                AttachError::NoFreePort => (Problem::NoFreePort, error.to_string()),
                AttachError::Refused(error) => refused(error),
            })?;
        self.next_device = self.next_device.checked_add(1).unwrap_or(1);
        self.attached.push((port, device));
        Ok(Reply::Attached(port))
    }

    fn detach(&mut self, port: PortNumber) -> Result<Reply, (Problem, String)> {
        let Some(index) = self.attached.iter().position(|&(ours, _)| ours == port) else {
            return Err((
                Problem::BadRequest,
                format!("port {} was not attached by this helper", port.0),
            ));
        };
        let (port, device) = self.attached.swap_remove(index);
        self.vhci.detach(port, device).map_err(refused)?;
        Ok(Reply::Detached)
    }

    /// Root rights and the kernel module.
    fn prepare(&self) -> Result<(), (Problem, String)> {
        if !(self.check_rights)() {
            return Err((Problem::NotRoot, "the helper does not run as root".to_owned()));
        }
        if self.vhci.is_loaded() {
            return Ok(());
        }
        (self.load_module)().map_err(|detail| (Problem::NoModule, detail))?;
        if self.vhci.is_loaded() {
            Ok(())
        } else {
            Err((
                Problem::NoModule,
                format!("{MODULE} is loaded, but shows no ports"),
            ))
        }
    }

    /// The kernel has dropped some by itself: after a suspend, or when the key process closed its socket.
    fn forget_detached(&mut self) -> std::io::Result<()> {
        let mut still_attached = Vec::new();
        for &(port, device) in &self.attached {
            if self.vhci.has(port, device)? {
                still_attached.push((port, device));
            }
        }
        self.attached = still_attached;
        Ok(())
    }

    fn detach_all(&mut self) {
        for (port, device) in self.attached.drain(..) {
            // The kernel detaches by itself once the key process has closed its socket; this is for sockets
            // that live longer than that, and fails when there is nothing left to detach.
            let _detached = self.vhci.detach(port, device);
        }
    }
}

fn refused(error: std::io::Error) -> (Problem, String) {
    (Problem::Refused, error.to_string())
}

/// The kernel takes any stream socket. The helper takes only the kind that never leaves this machine.
fn is_device_socket(device_end: BorrowedFd<'_>) -> bool {
    let is_socket =
        fstat(device_end).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Socket);
    is_socket
        && sockopt::socket_domain(device_end) == Ok(AddressFamily::UNIX)
        && sockopt::socket_type(device_end) == Ok(SocketType::STREAM)
        && rustix::net::getpeername(device_end).is_ok()
}

fn load_module() -> Result<(), String> {
    let Some(modprobe) = MODPROBE.into_iter().find(|path| Path::new(path).exists()) else {
        return Err("modprobe is not installed".to_owned());
    };
    let output = Command::new(modprobe)
        .args(["--", MODULE])
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{modprobe}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::net::{TcpListener, TcpStream};

    use rustix::net::{SocketFlags, socket};

    use super::super::protocol::tests::{pair, send_raw};
    use super::super::protocol::{receive_reply, send_request};
    use super::super::sysfs::tests::{FREE, FakeSysfs};
    use super::*;

    fn helper_on(fake: &FakeSysfs) -> Service {
        Service::for_tests(fake.vhci())
    }

    fn device_end() -> OwnedFd {
        // The other end stays open for as long as the test runs.
        let (device_end, ours) = pair(SocketType::STREAM);
        std::mem::forget(ours);
        device_end
    }

    fn problem(reply: Reply) -> (Problem, String) {
        let Reply::Failed(problem, detail) = reply else {
            panic!("{reply:?}")
        };
        (problem, detail)
    }

    #[test]
    fn probing_counts_the_free_ports() {
        let fake = FakeSysfs::with(FREE);
        assert_eq!(
            helper_on(&fake).answer(Request::Probe),
            Reply::Ready { free_ports: 2 }
        );
    }

    #[test]
    fn without_root_rights_nothing_is_touched() {
        let fake = FakeSysfs::with(FREE);
        let mut helper = Service {
            check_rights: || false,
            ..helper_on(&fake)
        };
        assert_eq!(problem(helper.answer(Request::Probe)).0, Problem::NotRoot);
        assert_eq!(
            problem(helper.answer(Request::Attach(device_end()))).0,
            Problem::NotRoot
        );
        assert_eq!(fake.written("attach"), "");
    }

    #[test]
    fn a_module_that_cannot_be_loaded_is_reported() {
        let empty = tempfile::tempdir().unwrap();
        let mut helper = Service::for_tests(Vhci::under(empty.path()));
        let (found, detail) = problem(helper.answer(Request::Probe));
        assert_eq!(
            (found, detail.as_str()),
            (Problem::NoModule, "modprobe: FATAL: Module vhci-hcd not found")
        );
        helper.load_module = || Ok(());
        let (found, detail) = problem(helper.answer(Request::Probe));
        assert_eq!(
            (found, detail.as_str()),
            (Problem::NoModule, "vhci-hcd is loaded, but shows no ports")
        );
    }

    #[test]
    fn only_connected_unix_stream_sockets_are_attached() {
        let fake = FakeSysfs::with(FREE);
        let mut helper = helper_on(&fake);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let tcp = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let unconnected = socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap();
        let (datagrams, _other) = pair(SocketType::DGRAM);
        let (packets, _other) = pair(SocketType::SEQPACKET);
        let file = OwnedFd::from(File::open("/dev/null").unwrap());
        for hostile in [OwnedFd::from(tcp), unconnected, datagrams, packets, file] {
            let (found, _) = problem(helper.answer(Request::Attach(hostile)));
            assert_eq!(found, Problem::BadRequest);
        }
        assert_eq!(fake.written("attach"), "");
        assert_eq!(
            helper.answer(Request::Attach(device_end())),
            Reply::Attached(PortNumber(1))
        );
    }

    #[test]
    fn only_what_was_attached_here_can_be_detached() {
        let fake = FakeSysfs::with(FREE);
        let mut helper = helper_on(&fake);
        assert_eq!(
            problem(helper.answer(Request::Detach(PortNumber(0)))).0,
            Problem::BadRequest
        );
        let device = helper.next_device;
        assert_eq!(
            helper.answer(Request::Attach(device_end())),
            Reply::Attached(PortNumber(1))
        );
        fake.show_attached(device);
        assert_eq!(
            problem(helper.answer(Request::Detach(PortNumber(0)))).0,
            Problem::BadRequest
        );
        assert_eq!(fake.written("detach"), "");
        assert_eq!(helper.answer(Request::Detach(PortNumber(1))), Reply::Detached);
        assert_eq!(fake.written("detach"), "1");
        assert_eq!(
            problem(helper.answer(Request::Detach(PortNumber(1)))).0,
            Problem::BadRequest
        );
    }

    #[test]
    fn a_port_that_another_device_has_by_now_is_left_alone() {
        let fake = FakeSysfs::with(FREE);
        let mut helper = helper_on(&fake);
        let device = helper.next_device;
        assert_eq!(
            helper.answer(Request::Attach(device_end())),
            Reply::Attached(PortNumber(1))
        );
        fake.show_attached(device.wrapping_add(99));
        helper.detach_all();
        assert_eq!(fake.written("detach"), "");
    }

    #[test]
    fn no_more_devices_than_allowed_are_attached_at_a_time() {
        let fake = FakeSysfs::with(FREE);
        let mut helper = helper_on(&fake);
        let device = helper.next_device;
        fake.show_attached(device);
        helper.attached = vec![(PortNumber(1), DeviceId(device)); ATTACHED_MAX];
        assert_eq!(
            problem(helper.answer(Request::Attach(device_end()))).0,
            Problem::BadRequest
        );
        fake.set("status", FREE);
        assert_eq!(
            helper.answer(Request::Attach(device_end())),
            Reply::Attached(PortNumber(1)),
            "the kernel dropped them"
        );
    }

    #[test]
    fn a_conversation_survives_nonsense_and_its_end_detaches() {
        let fake = FakeSysfs::with(FREE);
        let mut helper = helper_on(&fake);
        let device = helper.next_device;
        let (key, helper_end) = pair(SocketType::SEQPACKET);
        thread::scope(|scope| {
            scope.spawn(move || {
                serve(helper_end.as_fd(), &mut helper);
                assert_eq!(helper.attached, []);
            });
            send_raw(
                key.as_fd(),
                &[0xff; 300],
                &[key.as_fd(), key.as_fd(), key.as_fd()],
            );
            let reply = receive_reply(key.as_fd()).unwrap().unwrap();
            assert_eq!(problem(reply).0, Problem::BadRequest);
            send_request(key.as_fd(), &Request::Attach(device_end())).unwrap();
            assert_eq!(
                receive_reply(key.as_fd()).unwrap(),
                Some(Reply::Attached(PortNumber(1)))
            );
            fake.show_attached(device);
            drop(key);
        });
        assert_eq!(fake.written("detach"), "1");
    }

    #[test]
    fn only_a_unix_packet_socket_is_served() {
        let (packets, _other) = pair(SocketType::SEQPACKET);
        assert!(check_control_socket(packets.as_fd()).is_ok());
        let (stream, _other) = pair(SocketType::STREAM);
        let file = File::open("/dev/null").unwrap();
        let inet = rustix::net::socket_with(
            AddressFamily::INET,
            SocketType::STREAM,
            SocketFlags::CLOEXEC,
            None,
        );
        for other in [stream, OwnedFd::from(file), inet.unwrap()] {
            assert!(matches!(
                check_control_socket(other.as_fd()),
                Err(Error::NoControlSocket)
            ));
        }
    }
}
