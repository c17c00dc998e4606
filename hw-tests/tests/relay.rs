//! A node in the middle holds several links at once, on one adapter or on several, and keeps them apart.

use std::sync::Arc;
use std::time::Duration;

use hopline::ids::AdapterId;
use hopline::link::event::{RadioEvent, Role};
use hw_tests::driver::{Radio, Up, pattern, same};
use hw_tests::{Bench, Topology, trial};
use libtest_mimic::Failed;

fn main() {
    let limit = Duration::from_secs(240);
    hw_tests::run(vec![
        trial("one_adapter_is_dialled_and_dials_at_once", Topology::Line, limit, both_roles),
        trial("two_centrals_of_one_adapter_are_told_apart", Topology::Line, limit, two_centrals),
        trial("one_radio_over_two_adapters_reaches_two_domains", Topology::Domains, limit, two_adapters),
    ]);
}

/// The middle dials before it is dialled: Linux 6.1 lets no adapter dial that is a peripheral already, unless its
/// driver vouches for it (`HCI_QUIRK_VALID_LE_STATES`).
async fn both_roles(bench: Arc<Bench>) -> Result<(), Failed> {
    let [mut a, mut r, mut b] = open(&bench).await?;
    let (dialled, answered) = tokio::join!(r.dial(), either_up(&mut a, &mut b));
    let (r_to_b, (b_to_r, dialled_b)) = (dialled?, answered?);
    if !dialled_b {
        std::mem::swap(&mut a, &mut b);
    }
    let (dialled, answered) = tokio::join!(a.dial(), r.up(Role::Peripheral));
    let (a_to_r, r_to_a) = (dialled?, answered?);
    for seed in 0..10 {
        a.send(a_to_r, pattern(400, seed)).await?;
        let relayed = r.receive(r_to_a).await?;
        r.send(r_to_b, relayed).await?;
        same(&b.receive(b_to_r).await?, &pattern(400, seed), "written on and on")?;
        b.send(b_to_r, pattern(300, seed)).await?;
        let relayed = r.receive(r_to_b).await?;
        r.send(r_to_a, relayed).await?;
        same(&a.receive(a_to_r).await?, &pattern(300, seed), "notified back and back")?;
    }
    Ok(())
}

/// The first of two radios that is dialled, and whether it is the second.
async fn either_up(a: &mut Radio, b: &mut Radio) -> Result<(Up, bool), Failed> {
    tokio::select! {
        up = a.up(Role::Peripheral) => Ok((up?, false)),
        up = b.up(Role::Peripheral) => Ok((up?, true)),
    }
}

async fn two_centrals(bench: Arc<Bench>) -> Result<(), Failed> {
    let [mut a, mut r, mut b] = open(&bench).await?;
    let (dialled, answered) = tokio::join!(a.dial(), r.up(Role::Peripheral));
    let (a_to_r, r_to_a) = (dialled?, answered?);
    let b_to_r = b.dial().await?;
    // BlueZ before 5.69 does not tell of a second subscription; what its central writes does.
    b.send(b_to_r, pattern(200, 1)).await?;
    let r_to_b = r.up(Role::Peripheral).await?;
    same(&r.receive(r_to_b).await?, &pattern(200, 1), "written by the second central")?;
    a.send(a_to_r, pattern(200, 2)).await?;
    same(&r.receive(r_to_a).await?, &pattern(200, 2), "written by the first central")?;
    // To both, as a flood is sent: each hears it once.
    for up in [r_to_a, r_to_b] {
        r.send(up, pattern(500, 3)).await?;
    }
    r.send(r_to_a, pattern(100, 4)).await?;
    r.send(r_to_b, pattern(100, 5)).await?;
    let mut heard_by_a = vec![a.receive(a_to_r).await?, a.receive(a_to_r).await?];
    let mut heard_by_b = vec![b.receive(b_to_r).await?, b.receive(b_to_r).await?];
    // The old BlueZ lets each overhear what is meant for the other.
    for (radio, up, heard) in [(&mut a, a_to_r, &mut heard_by_a), (&mut b, b_to_r, &mut heard_by_b)] {
        let late =
            |event: &RadioEvent| matches!(event, RadioEvent::Received { link, .. } if *link == up.link);
        while let Ok(RadioEvent::Received { bytes, .. }) =
            radio.wait_at_most(Duration::from_secs(2), late).await
        {
            heard.push(bytes);
        }
    }
    for (who, heard, own) in [("first", &heard_by_a, 4), ("second", &heard_by_b, 5)] {
        let count = |frame| heard.iter().filter(|bytes| **bytes == frame).count();
        if count(pattern(500, 3)) != 1 || count(pattern(100, own)) != 1 {
            return Err(format!("the {who} central did not hear its frames once each").into());
        }
    }
    Ok(())
}

async fn two_adapters(bench: Arc<Bench>) -> Result<(), Failed> {
    let [a, left, right, b, ..] = bench.adapters.as_slice() else {
        return Err("four adapters are needed".into());
    };
    let mut a = Radio::open(a).await?;
    let mut r = Radio::over(&[left, right]).await?;
    let mut b = Radio::open(b).await?;
    let (dialled, answered) = tokio::join!(a.dial(), r.up(Role::Peripheral));
    let (a_to_r, r_to_a) = (dialled?, answered?);
    let (dialled, answered) = tokio::join!(b.dial(), r.up(Role::Peripheral));
    let (b_to_r, r_to_b) = (dialled?, answered?);
    if (r_to_a.link.adapter, r_to_b.link.adapter) != (AdapterId(0), AdapterId(1)) {
        return Err(format!("links {} and {} are not on two adapters", r_to_a.link, r_to_b.link).into());
    }
    for seed in 0..10 {
        a.send(a_to_r, pattern(400, seed)).await?;
        let relayed = r.receive(r_to_a).await?;
        r.send(r_to_b, relayed).await?;
        same(&b.receive(b_to_r).await?, &pattern(400, seed), "from the first domain into the second")?;
        b.send(b_to_r, pattern(300, seed)).await?;
        let relayed = r.receive(r_to_b).await?;
        r.send(r_to_a, relayed).await?;
        same(&a.receive(a_to_r).await?, &pattern(300, seed), "from the second domain into the first")?;
    }
    Ok(())
}

async fn open(bench: &Bench) -> Result<[Radio; 3], Failed> {
    let [a, r, b, ..] = bench.adapters.as_slice() else {
        return Err("three adapters are needed".into());
    };
    Ok([Radio::open(a).await?, Radio::open(r).await?, Radio::open(b).await?])
}
