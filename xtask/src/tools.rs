//! What tests need beside Rust and gcc, and how it gets here: Debian packages, and Python packages in the cache.

use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::{Failure, about};
use crate::output::say;
use crate::paths;
use crate::run::program;

/// The packages among these that are not installed; empty where the system does not know Debian packages.
pub(crate) fn missing_packages(names: &[&'static str]) -> Vec<&'static str> {
    if !paths::has_program("dpkg-query") {
        return Vec::new();
    }
    let installed = |name: &str| {
        let status = program("dpkg-query").args(["-W", "-f=${Status}", name]).output();
        status.is_some_and(|status| status == "install ok installed")
    };
    names.iter().copied().filter(|name| !installed(name)).collect()
}

/// For the chores that do not install: says which command would.
pub(crate) fn require_packages(names: &[&'static str]) -> Result<(), Failure> {
    let missing = missing_packages(names);
    if missing.is_empty() {
        return Ok(());
    }
    Err(
        Failure::new(format!("not installed: {}", missing.join(", "))).hint(format!(
            "sudo apt-get install --no-install-recommends {}",
            missing.join(" ")
        )),
    )
}

/// Installs Debian packages, as root or through sudo.
pub(crate) fn install_packages(names: &[&'static str]) -> Result<(), Failure> {
    if names.is_empty() {
        return Ok(());
    }
    // A list that cannot be fetched (a third party's, say) need not be in the way of what is wanted.
    if let Err(failure) = apt_get(&["update"]) {
        say!("{failure}\ngoing on with the package lists that are here");
    }
    let install = ["install", "--yes", "--no-install-recommends"];
    apt_get(&[&install[..], names].concat()).or_else(|failure| {
        // A machine with a newer qemu-utils than its release cannot install that release's QEMU beside it.
        if !names.iter().any(|name| name.starts_with("qemu")) {
            return Err(failure);
        }
        say!("{failure}\ntrying again with the release's own qemu-utils");
        apt_get(
            &[
                &install[..],
                &["--allow-downgrades", "qemu-utils/bookworm"],
                names,
            ]
            .concat(),
        )
    })
}

fn apt_get(arguments: &[&str]) -> Result<(), Failure> {
    let is_root = program("id")
        .arg("-u")
        .output()
        .is_some_and(|id| id.trim() == "0");
    let run = if is_root {
        program("env")
    } else {
        program("sudo").arg("env")
    };
    run.args([
        "DEBIAN_FRONTEND=noninteractive",
        "apt-get",
        "-q",
        "-o",
        "DPkg::Lock::Timeout=300",
    ])
    .args(arguments)
    .finish()
}

/// The Python of a virtual environment in the cache that has the newest fido2 and pytest.
pub(crate) fn python() -> Result<PathBuf, Failure> {
    let environment = paths::cache("python")?;
    let python = environment.join("bin/python");
    let works = |code: &str| program(&python).args(["-c", code]).output().is_some();
    if !works("import pip") {
        program("python3")
            .args(["-m", "venv", "--clear"])
            .arg(&environment)
            .finish()
            .map_err(|failure| {
                failure.hint("Debian keeps this in a package of its own: sudo apt-get install python3-venv")
            })?;
    }
    let upgrade = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--upgrade",
        "fido2",
        "pytest",
    ];
    if let Err(failure) = program(&python).args(upgrade).finish() {
        if !works("import fido2, pytest") {
            return Err(unreachable_index(failure));
        }
        say!("{failure}\ngoing on with the versions that are here");
    }
    if python.is_file() {
        Ok(python)
    } else {
        Err(about(&python)(std::io::ErrorKind::NotFound.into()))
    }
}

/// A folder that has python-fido2's own tests as `tests`, from the source package of the version that `python` has.
pub(crate) fn python_fido2_tests(python: &Path) -> Result<PathBuf, Failure> {
    let version = program(python)
        .args([
            "-c",
            "from importlib.metadata import version; print(version('fido2'))",
        ])
        .output()
        .ok_or_else(|| Failure::new("fido2 does not say its version"))?;
    let package = format!("fido2-{}", version.trim());
    let folder = paths::cache("python-fido2")?.join(&package);
    if !folder.is_dir() {
        fetch_tests(python, &package, &folder)?;
    }
    Ok(folder)
}

/// Versions of python-fido2 that distributions still have, and programs with them.
const OLDER_FIDO2: [&str; 4] = ["0.9.3", "1.1.3", "1.2.0", "2.0.0"];

/// Folders with one older python-fido2 each, and what it needs.
pub(crate) fn older_python_fido2(python: &Path) -> Result<Vec<PathBuf>, Failure> {
    let folders = paths::cache("python-fido2")?;
    let install = |version: &str| {
        let folder = folders.join(version);
        if folder.is_dir() {
            return Ok(folder);
        }
        let part = new_part(&folder)?;
        program(python)
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
            .args([&format!("fido2=={version}"), "cryptography<51", "--target"])
            .arg(&part)
            .finish()
            .map_err(unreachable_index)?;
        fs::rename(&part, &folder).map_err(about(&folder))?;
        Ok(folder)
    };
    OLDER_FIDO2.into_iter().map(install).collect()
}

/// A new folder beside `folder`, which is to become that folder once it is complete.
fn new_part(folder: &Path) -> Result<PathBuf, Failure> {
    let mut name = folder.as_os_str().to_owned();
    name.push(".part");
    let part = PathBuf::from(name);
    if part.is_dir() {
        fs::remove_dir_all(&part).map_err(about(&part))?;
    }
    fs::create_dir_all(&part).map_err(about(&part))?;
    Ok(part)
}

fn unreachable_index(failure: Failure) -> Failure {
    failure.hint("the Python package index has to be reachable once")
}

/// Unpacks the tests of a source package; `folder` appears when they are complete.
fn fetch_tests(python: &Path, package: &str, folder: &Path) -> Result<(), Failure> {
    let part = new_part(folder)?;
    let requirement = package.replacen('-', "==", 1);
    program(python)
        .args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check"])
        .args(["--no-deps", "--no-binary", "fido2", &requirement, "--dest"])
        .arg(&part)
        .finish()
        .map_err(unreachable_index)?;
    program("tar")
        .arg("-xzf")
        .arg(part.join(format!("{package}.tar.gz")))
        .arg("-C")
        .arg(&part)
        .arg("--strip-components=1")
        .arg(format!("{package}/tests"))
        .finish()?;
    fs::rename(&part, folder).map_err(about(folder))
}
