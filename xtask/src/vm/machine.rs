//! QEMU's command line, and whether KVM can be had.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::failure::Failure;
use crate::output::say;
use crate::run::program;
use crate::{clock, tpm};

const QEMU: &str = "qemu-system-x86_64";
/// Less than 2 GiB: there a new vault takes the least work for its Vault PIN that is accepted, a quarter of what it takes
/// elsewhere. QEMU needs seconds for each such piece of work.
const MEMORY_MIB: &str = "2040";

#[derive(Clone, Copy)]
pub(crate) enum Accelerator {
    Kvm,
    /// QEMU translates the guest's code: slow, and works everywhere.
    Software,
}

pub(crate) struct Machine {
    /// The folder with the disk, the kernel and its initrd.
    pub(crate) disk: PathBuf,
    /// The folder that the guest mounts as `/host`.
    pub(crate) share: PathBuf,
    /// The folder that keeps the guest's TPM, if it has one.
    pub(crate) tpm: Option<PathBuf>,
    /// An empty disk, `/dev/vdb`, which is the same one when the machine is started again.
    pub(crate) lasting_disk: PathBuf,
}

impl Machine {
    /// Boots; what the guest writes to its console can be read from the child's standard output.
    pub(crate) fn boot(&self, accelerator: Accelerator) -> Result<Child, Failure> {
        self.command(accelerator)?
            .args(["-display", "none", "-monitor", "none", "-serial", "stdio"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .map_err(|error| Failure::new(format!("{QEMU}: {error}")))
    }

    /// Boots with the console on this terminal.
    pub(crate) fn shell(&self) -> Result<(), Failure> {
        say!("leave the guest's shell to power it off; Ctrl-A X ends QEMU");
        let accelerator = if kvm_works() {
            Accelerator::Kvm
        } else {
            Accelerator::Software
        };
        let status = self.command(accelerator)?.arg("-nographic").status();
        status
            .map(|_| ())
            .map_err(|error| Failure::new(format!("{QEMU}: {error}")))
    }

    fn command(&self, accelerator: Accelerator) -> Result<Command, Failure> {
        let file = |name: &str| self.disk.join(name).display().to_string();
        let (accelerator, cpu) = match accelerator {
            Accelerator::Kvm => ("kvm", "host"),
            Accelerator::Software => ("tcg,thread=multi", "max"),
        };
        let mut command = program(QEMU).into_command();
        command.args([
            "-M",
            "q35",
            "-accel",
            accelerator,
            "-cpu",
            cpu,
            "-smp",
            "2",
            "-m",
            MEMORY_MIB,
        ]);
        command.args(["-no-reboot", "-nic", "none"]);
        command.args(["-kernel", &file("kernel"), "-initrd", &file("initrd")]);
        // An emulated timer may be too late for the kernel's check of it, where the machine is busy.
        command.args([
            "-append",
            "root=/dev/vda rw console=ttyS0 init=/e2e-init quiet loglevel=3 mitigations=off no_timer_check",
        ]);
        command.args([
            "-drive",
            &format!("file={},if=virtio,format=raw,snapshot=on", file("root.ext4")),
        ]);
        let lasting_disk = self.lasting_disk.display();
        command.args(["-drive", &format!("file={lasting_disk},if=virtio,format=raw")]);
        let share = self.share.display();
        command.args([
            "-virtfs",
            &format!("local,path={share},mount_tag=host,security_model=none,multidevs=remap"),
        ]);
        if let Some(tpm) = &self.tpm {
            let socket = tpm::start_swtpm(tpm)?;
            command.args(["-chardev", &format!("socket,id=swtpm,path={}", socket.display())]);
            command.args(["-tpmdev", "emulator,id=tpm,chardev=swtpm"]);
            command.args(["-device", "tpm-tis,tpmdev=tpm"]);
        }
        Ok(command)
    }
}

/// Whether a machine can be made with KVM here: /dev/kvm may be there and not work, inside another machine for one.
pub(crate) fn kvm_works() -> bool {
    let child = Command::new(QEMU)
        .args([
            "-M", "q35", "-accel", "kvm", "-cpu", "host", "-display", "none", "-serial", "none", "-S",
        ])
        .args(["-monitor", "stdio", "-nic", "none"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut child) = child else { return false };
    let asked = child
        .stdin
        .take()
        .is_some_and(|mut monitor| monitor.write_all(b"quit\n").is_ok());
    let deadline = clock::now() + Duration::from_secs(10);
    while asked && clock::now() < deadline {
        match child.try_wait() {
            Ok(Some(status)) => return status.success(),
            Ok(None) => clock::pause(Duration::from_millis(50)),
            Err(_) => break,
        }
    }
    let _gone = child.kill().and_then(|()| child.wait());
    false
}
