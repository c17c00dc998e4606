//! Frames cross a real Bluetooth stack byte for byte, in both directions, whatever their size.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hopline::link::event::{LinkDownReason, RadioCommand, RadioEvent, Role};
use hw_tests::driver::{Linked, Radio, Up, link, pattern, same};
use hw_tests::{Bench, Topology, trial};
use libtest_mimic::Failed;

/// The smallest BitChat packet: a v1 header and a sender (spec 2.1).
const SMALLEST: usize = 22;

fn main() {
    hw_tests::run(vec![
        trial(
            "frames_of_every_size_around_the_mtu_cross_both_ways",
            Topology::Pair,
            Duration::from_secs(300),
            sizes,
        ),
        trial(
            "every_frame_of_a_train_arrives_whole_and_once",
            Topology::Pair,
            Duration::from_secs(300),
            train,
        ),
        trial("both_ends_may_dial_each_other", Topology::Pair, Duration::from_secs(300), both_dial),
        trial("a_closed_link_goes_down_at_both_ends", Topology::Pair, Duration::from_secs(300), close),
    ]);
}

async fn sizes(bench: Arc<Bench>) -> Result<(), Failed> {
    let Linked { central: (mut b, to_a), peripheral: (mut a, to_b) } = link(&bench).await?;
    for size in sizes_around(to_a.max_frame) {
        let frame = pattern(size, 1);
        b.send(to_a, frame.clone()).await?;
        let arrived = a.receive(to_b).await.map_err(|error| of_size(size, error))?;
        same(&arrived, &frame, "written")?;
    }
    for size in sizes_around(to_b.max_frame) {
        let frame = pattern(size, 2);
        a.send(to_b, frame.clone()).await?;
        let arrived = b.receive(to_a).await.map_err(|error| of_size(size, error))?;
        same(&arrived, &frame, "notified")?;
    }
    Ok(())
}

async fn train(bench: Arc<Bench>) -> Result<(), Failed> {
    let Linked { central: (mut b, to_a), peripheral: (mut a, to_b) } = link(&bench).await?;
    for first in (0..192).step_by(16) {
        let wagons = first..first + 16;
        for wagon in wagons.clone() {
            b.command(write(to_a, wagon)).await?;
        }
        each_once(&mut a, to_b, to_a.max_frame, wagons.clone()).await?;
        for wagon in wagons.clone() {
            a.command(write(to_b, wagon)).await?;
        }
        each_once(&mut b, to_a, to_b.max_frame, wagons).await?;
    }
    Ok(())
}

/// Every one of these frames arrives, and none twice. Their order is not promised: two hosts with BlueZ may use
/// several ATT bearers at once (EATT), and these overtake each other.
async fn each_once(radio: &mut Radio, up: Up, size: usize, mut wagons: Range<u8>) -> Result<(), Failed> {
    let mut missing: Vec<Bytes> = wagons.by_ref().map(|wagon| pattern(size, wagon)).collect();
    while !missing.is_empty() {
        let arrived = radio.receive(up).await?;
        let wagon = missing.iter().position(|frame| *frame == arrived);
        let wagon =
            wagon.ok_or_else(|| format!("{} bytes arrived that nobody sent, or twice", arrived.len()))?;
        missing.swap_remove(wagon);
    }
    Ok(())
}

async fn both_dial(bench: Arc<Bench>) -> Result<(), Failed> {
    let Linked { central: (mut b, b_to_a), peripheral: (mut a, a_to_b) } = link(&bench).await?;
    let (dialled, answered) = tokio::join!(a.dial(), b.up(Role::Peripheral));
    let (a_dialled, b_answered) = (dialled?, answered?);
    for (number, size) in [SMALLEST, 100, 400].into_iter().enumerate() {
        let seed = u8::try_from(number)?;
        a.send(a_dialled, pattern(size, seed)).await?;
        same(&b.receive(b_answered).await?, &pattern(size, seed), "written by the one dialled first")?;
        b.send(b_to_a, pattern(size, seed)).await?;
        same(&a.receive(a_to_b).await?, &pattern(size, seed), "written by the one that dialled first")?;
    }
    Ok(())
}

async fn close(bench: Arc<Bench>) -> Result<(), Failed> {
    let Linked { central: (mut b, to_a), peripheral: (mut a, to_b) } = link(&bench).await?;
    b.command(RadioCommand::Disconnect { link: to_a.link }).await?;
    let closed = RadioEvent::LinkDown { link: to_a.link, reason: LinkDownReason::Closed };
    b.wait_for("its own link to end", |event| *event == closed).await?;
    let gone = RadioEvent::LinkDown { link: to_b.link, reason: LinkDownReason::Remote };
    a.wait_for("the other's link to end", |event| *event == gone).await?;
    let (dialled, answered) = tokio::join!(b.dial(), a.up(Role::Peripheral));
    let (to_a, to_b) = (dialled?, answered?);
    a.send(to_b, pattern(300, 3)).await?;
    same(&b.receive(to_a).await?, &pattern(300, 3), "notified after a new connection")
}

fn write(up: Up, seed: u8) -> RadioCommand {
    RadioCommand::Write { link: up.link, frame: pattern(up.max_frame, seed) }
}

/// The smallest, the powers of two, and every size from a little below the longest frame up to it.
fn sizes_around(max_frame: usize) -> Vec<usize> {
    let powers = (5..10).map(|exponent| 1 << exponent);
    let edge = max_frame.saturating_sub(20)..=max_frame;
    let mut sizes: Vec<usize> = [SMALLEST].into_iter().chain(powers).chain(edge).collect();
    sizes.retain(|&size| size <= max_frame);
    sizes.sort_unstable();
    sizes.dedup();
    sizes
}

fn of_size(size: usize, error: Failed) -> Failed {
    format!("a frame of {size} bytes: {}", error.message().unwrap_or_default()).into()
}
