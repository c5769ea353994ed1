//! How the exchange goes, for a command that asks.

use wardkey_vault::{DeviceId, State, Vault};

use super::driver::Driver;
use super::storage::Storage;
use super::words;
use crate::commands::show;
use crate::control::{DeviceStatus, SyncStatus};
use crate::error::Failure;

/// What is known; `driver` is there while the vault is exchanged.
pub(crate) fn report(vault: &Vault, driver: Option<&Driver>) -> Result<SyncStatus, Failure> {
    let storage = Storage::of(vault)?;
    let devices = devices(vault)?;
    let state = driver.map_or(&State::Unknown, |driver| &driver.status().state);
    let (text, hint) = words::describe(state, &|device| called(vault, device));
    let status = driver.map(Driver::status);
    Ok(SyncStatus {
        store: storage
            .filter(|_| vault.syncs())
            .map(|storage| storage.account.address().to_string()),
        state: words::code(state).to_owned(),
        text,
        hint: hint.map(str::to_owned),
        trouble: driver.and_then(|driver| driver.trouble().map(ToString::to_string)),
        missing: status.map(|status| status.missing.clone()).unwrap_or_default(),
        fresh_unix_ms: status.and_then(|status| status.fresh_unix_ms),
        read: status.map_or(0, |status| status.read),
        to_read: status.map_or(0, |status| status.to_read),
        written: status.map_or(0, |status| status.written),
        rests: driver.is_none_or(Driver::rests),
        devices,
    })
}

/// The devices of the vault, and those that were removed.
fn devices(vault: &Vault) -> Result<Vec<DeviceStatus>, Failure> {
    let Some(trust) = vault.trust() else {
        return Ok(Vec::new());
    };
    let members = trust.members().map(|device| (device, false));
    let former = trust.former_members().map(|(device, _)| (device, true));
    let mut devices = Vec::new();
    for (device, is_removed) in members.chain(former) {
        let last_written_unix_ms = vault.last_written_unix_ms(device).map_err(super::broken)?;
        devices.push(DeviceStatus {
            id: device.to_string(),
            name: vault.device_name(device).map(str::to_owned),
            is_this: vault.this_device() == Some(device),
            is_removed,
            last_written_unix_ms,
            objects: vault.log_head(device).seq(),
        });
    }
    Ok(devices)
}

/// Its name, or the beginning of its id.
pub(crate) fn called(vault: &Vault, device: DeviceId) -> String {
    match vault.device_name(device) {
        Some(name) => format!("“{name}”"),
        None => format!("device {}", show::short_device(&device.to_string())),
    }
}
