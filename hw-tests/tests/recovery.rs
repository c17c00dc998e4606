//! A radio outlives what happens to BlueZ and to its adapter: links go down, are reported, and can be made again.

use std::sync::Arc;
use std::time::Duration;

use hopline::link::event::{LinkDownReason, RadioEvent, Role};
use hw_tests::driver::{Linked, Radio, Up, link, pattern, same};
use hw_tests::radio::{power, restart_bluetoothd};
use hw_tests::{Bench, Topology, trial};
use libtest_mimic::Failed;

fn main() {
    let limit = Duration::from_secs(240);
    let restartable = Topology::Pair.and(&["HW_RESTART_BLUETOOTHD"]);
    hw_tests::run(vec![
        trial("links_return_after_bluetoothd_was_killed_and_started", restartable, limit, restart),
        trial("links_return_after_the_dialled_adapter_was_off", Topology::Pair, limit, peripheral_off),
        trial("links_return_after_the_dialling_adapter_was_off", Topology::Pair, limit, central_off),
        trial("an_adapter_that_stays_off_is_switched_on", Topology::Pair, limit, stays_off),
        trial("a_dropped_radio_leaves_nothing_behind", Topology::Pair, limit, dropped),
    ]);
}

async fn restart(bench: Arc<Bench>) -> Result<(), Failed> {
    let Linked { central: (mut b, to_a), peripheral: (mut a, to_b) } = link(&bench).await?;
    restart_bluetoothd().await?;
    let (first, second) = tokio::join!(goes_down_and_up(&mut a, to_b), goes_down_and_up(&mut b, to_a));
    first.and(second)?;
    talk_again(&mut b, &mut a).await
}

async fn peripheral_off(bench: Arc<Bench>) -> Result<(), Failed> {
    let Linked { central: (mut b, to_a), peripheral: (mut a, to_b) } = link(&bench).await?;
    power_cycle(adapter(&bench, 0)?).await?;
    let gone = RadioEvent::LinkDown { link: to_a.link, reason: LinkDownReason::Remote };
    let (first, second) =
        tokio::join!(goes_down_and_up(&mut a, to_b), b.wait_for("its link to end", |event| *event == gone));
    first.and(second.map(drop))?;
    talk_again(&mut b, &mut a).await
}

async fn central_off(bench: Arc<Bench>) -> Result<(), Failed> {
    let Linked { central: (mut b, to_a), peripheral: (mut a, to_b) } = link(&bench).await?;
    power_cycle(adapter(&bench, 1)?).await?;
    let gone = RadioEvent::LinkDown { link: to_b.link, reason: LinkDownReason::Remote };
    let (first, second) =
        tokio::join!(goes_down_and_up(&mut b, to_a), a.wait_for("its link to end", |event| *event == gone));
    first.and(second.map(drop))?;
    talk_again(&mut b, &mut a).await
}

async fn stays_off(bench: Arc<Bench>) -> Result<(), Failed> {
    let Linked { central: (mut b, _), peripheral: (mut a, to_b) } = link(&bench).await?;
    power(adapter(&bench, 0)?, false).await?;
    goes_down_and_up(&mut a, to_b).await?;
    talk_again(&mut b, &mut a).await
}

async fn dropped(bench: Arc<Bench>) -> Result<(), Failed> {
    let Linked { central: (b, _), peripheral: (mut a, to_b) } = link(&bench).await?;
    drop(b);
    let gone = RadioEvent::LinkDown { link: to_b.link, reason: LinkDownReason::Remote };
    a.wait_for("the link to end", |event| *event == gone).await?;
    let mut b = Radio::open(adapter(&bench, 1)?).await?;
    talk_again(&mut b, &mut a).await
}

/// The link goes down first, then the adapter; then the adapter comes back.
async fn goes_down_and_up(radio: &mut Radio, up: Up) -> Result<(), Failed> {
    let link_down =
        |event: &RadioEvent| matches!(event, RadioEvent::LinkDown { link, .. } if *link == up.link);
    let early = |event: &RadioEvent| link_down(event) || matches!(event, RadioEvent::AdapterDown { .. });
    let first = radio.wait_for("the link to go down", early).await?;
    if !link_down(&first) {
        return Err("the adapter was reported down before its link".into());
    }
    radio.wait_for("the adapter to go down", |event| matches!(event, RadioEvent::AdapterDown { .. })).await?;
    radio.wait_for("the adapter to come up", |event| matches!(event, RadioEvent::AdapterUp { .. })).await?;
    Ok(())
}

async fn talk_again(central: &mut Radio, peripheral: &mut Radio) -> Result<(), Failed> {
    let (dialled, answered) = tokio::join!(central.dial(), peripheral.up(Role::Peripheral));
    let (out, back) = (dialled?, answered?);
    central.send(out, pattern(300, 1)).await?;
    same(&peripheral.receive(back).await?, &pattern(300, 1), "written")?;
    peripheral.send(back, pattern(300, 2)).await?;
    same(&central.receive(out).await?, &pattern(300, 2), "notified")
}

fn adapter(bench: &Bench, index: usize) -> Result<&str, Failed> {
    Ok(bench.adapters.get(index).ok_or("too few adapters")?)
}

async fn power_cycle(adapter: &str) -> Result<(), Failed> {
    power(adapter, false).await?;
    power(adapter, true).await
}
