//! What a person could do to the radios from outside: switch one off, restart BlueZ, look who is connected.

use std::time::Duration;

use bluer::{Address, Session};
use libtest_mimic::Failed;
use tokio::process::Command;
use tokio::time::{interval, timeout};

use crate::record::PATIENCE;

/// Switches an adapter on or off.
pub async fn power(adapter: &str, on: bool) -> Result<(), Failed> {
    Ok(Session::new().await?.adapter(adapter)?.set_powered(on).await?)
}

/// Kills `bluetoothd` and starts it again; returns when it is on the bus.
pub async fn restart_bluetoothd() -> Result<(), Failed> {
    let program = std::env::var("HW_RESTART_BLUETOOTHD")?;
    let status = Command::new(&program).status().await?;
    if status.success() { Ok(()) } else { Err(format!("{program}: {status}").into()) }
}

/// Makes BlueZ forget every device of these adapters that is not paired: what an earlier test left behind, down to
/// services that a killed node no longer has, must not be found by the next one.
pub(crate) async fn forget_devices(adapters: &[String]) -> Result<(), Failed> {
    if adapters.is_empty() {
        return Ok(());
    }
    let session = Session::new().await?;
    for name in adapters {
        let adapter = session.adapter(name)?;
        for address in adapter.device_addresses().await? {
            if !adapter.device(address)?.is_paired().await? {
                adapter.remove_device(address).await?;
            }
        }
    }
    Ok(())
}

/// Whether BlueZ advertises over this adapter.
pub(crate) async fn advertises(adapter: &str) -> Result<bool, Failed> {
    Ok(Session::new().await?.adapter(adapter)?.active_advertising_instances().await? > 0)
}

/// Waits until `adapter` is connected to the adapter `other`.
pub(crate) async fn connected(adapter: &str, other: &str) -> Result<(), Failed> {
    let session = Session::new().await?;
    let address = session.adapter(other)?.address().await?;
    let adapter = session.adapter(adapter)?;
    let mut tick = interval(Duration::from_millis(50));
    let waiting = async {
        while !is_connected(&adapter, address).await {
            tick.tick().await;
        }
    };
    let late = |_| format!("{} did not connect to {other} within {PATIENCE:?}", adapter.name());
    Ok(timeout(PATIENCE, waiting).await.map_err(late)?)
}

/// A device BlueZ has not heard yet is not connected.
async fn is_connected(adapter: &bluer::Adapter, address: Address) -> bool {
    match adapter.device(address) {
        Ok(device) => device.is_connected().await.unwrap_or(false),
        Err(_) => false,
    }
}
