//! Frames cross a real Bluetooth stack byte for byte, in both directions, whatever their size.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hopline::link::event::{LinkDownReason, RadioCommand, RadioEvent, Role};
use hw_tests::driver::{Radio, Up};
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
            "a_train_of_frames_arrives_whole_and_in_order",
            Topology::Pair,
            Duration::from_secs(300),
            train,
        ),
        trial("both_ends_may_dial_each_other", Topology::Pair, Duration::from_secs(300), both_dial),
        trial("a_closed_link_goes_down_at_both_ends", Topology::Pair, Duration::from_secs(300), close),
    ]);
}

/// Two radios with a link between them: who dialled, and who was dialled.
struct Linked {
    central: (Radio, Up),
    peripheral: (Radio, Up),
}

async fn link(bench: &Bench) -> Result<Linked, Failed> {
    let [first, second, ..] = bench.adapters.as_slice() else {
        return Err("two adapters are needed".into());
    };
    let (mut a, mut b) = (Radio::open(first).await?, Radio::open(second).await?);
    let (dialled, answered) = tokio::join!(b.dial(), a.up(Role::Peripheral));
    Ok(Linked { central: (b, dialled?), peripheral: (a, answered?) })
}

async fn sizes(bench: Arc<Bench>) -> Result<(), Failed> {
    let Linked { central: (mut b, to_a), peripheral: (mut a, to_b) } = link(&bench).await?;
    for size in sizes_around(to_a.max_frame) {
        let frame = pattern(size, 1);
        b.send(to_a, frame.clone()).await?;
        same(&a.receive(to_b).await?, &frame, "written")?;
    }
    for size in sizes_around(to_b.max_frame) {
        let frame = pattern(size, 2);
        a.send(to_b, frame.clone()).await?;
        same(&b.receive(to_a).await?, &frame, "notified")?;
    }
    Ok(())
}

async fn train(bench: Arc<Bench>) -> Result<(), Failed> {
    const WAGONS: u8 = 192;
    let Linked { central: (mut b, to_a), peripheral: (mut a, to_b) } = link(&bench).await?;
    for wagon in 0..WAGONS {
        b.command(write(to_a, wagon)).await?;
        if wagon % 16 == 15 {
            for expected in wagon - 15..=wagon {
                same(&a.receive(to_b).await?, &pattern(to_a.max_frame, expected), "written")?;
            }
        }
    }
    for wagon in 0..WAGONS {
        a.command(write(to_b, wagon)).await?;
        if wagon % 16 == 15 {
            for expected in wagon - 15..=wagon {
                same(&b.receive(to_a).await?, &pattern(to_b.max_frame, expected), "notified")?;
            }
        }
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

/// Bytes that differ by place, size and seed, so that a shifted, cut or swapped frame shows.
fn pattern(size: usize, seed: u8) -> Bytes {
    (0..size).map(|place| (place * 31 + size * 7 + usize::from(seed) * 101).to_le_bytes()[0]).collect()
}

fn same(actual: &Bytes, expected: &Bytes, how: &str) -> Result<(), Failed> {
    if actual == expected {
        return Ok(());
    }
    let place = actual.iter().zip(expected.iter()).position(|(a, b)| a != b);
    Err(format!(
        "{how}: {} bytes sent, {} arrived, first difference at {place:?}",
        expected.len(),
        actual.len()
    )
    .into())
}
