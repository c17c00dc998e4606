//! Nodes that walk: the random waypoint model, seeded.
//!
//! Each walker goes to a random point of the field in a straight line, then to another. Whoever comes into
//! range is joined, whoever leaves it is cut.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::time::Duration;

use rand_chacha::ChaCha12Rng;
use rand_core::SeedableRng;

use super::edge::Edge;
use super::event::{Input, StationId};
use super::random::unit;
use crate::time::Instant;

/// Between two looks at who is in range.
const STEP: Duration = Duration::from_secs(1);

/// Where and how they walk.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Field {
    /// Width in metres.
    pub width: f64,
    /// Height in metres.
    pub height: f64,
    /// How far a radio reaches, in metres.
    pub range: f64,
    /// How fast they walk, in metres a second.
    pub speed: f64,
    /// The air between any two in range.
    pub edge: Edge,
}

/// The walkers and where they are.
#[derive(Debug)]
pub struct RandomWaypoint {
    field: Field,
    rng: ChaCha12Rng,
    walkers: BTreeMap<StationId, Walker>,
    /// Who was joined at the last step.
    in_range: BTreeSet<(StationId, StationId)>,
    next_step: Instant,
}

#[derive(Debug, Clone, Copy)]
struct Walker {
    at: Point,
    goal: Point,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Point {
    x: f64,
    y: f64,
}

impl RandomWaypoint {
    /// Walkers for these radios, each somewhere on the field.
    pub fn new(field: Field, stations: &[StationId], seed: [u8; 32], now: Instant) -> Self {
        let mut rng = ChaCha12Rng::from_seed(seed);
        let mut point = || Point { x: unit(&mut rng) * field.width, y: unit(&mut rng) * field.height };
        let walkers =
            stations.iter().map(|&station| (station, Walker { at: point(), goal: point() })).collect();
        Self { field, rng, walkers, in_range: BTreeSet::new(), next_step: now }
    }

    /// When to call [`Self::step`] next.
    pub fn poll_timeout(&self) -> Instant {
        self.next_step
    }

    /// Everybody walks on; what that does to the air.
    pub fn step(&mut self, now: Instant) -> Vec<Input> {
        if now < self.next_step {
            return Vec::new();
        }
        self.next_step = now + STEP;
        self.walk();
        let in_range = self.pairs_in_range();
        let apart = self.in_range.difference(&in_range).map(|&(a, b)| Input::Cut { a, b });
        let edge = self.field.edge;
        let together = in_range.difference(&self.in_range).map(|&(a, b)| Input::Join { a, b, edge });
        let changes = apart.chain(together).collect();
        self.in_range = in_range;
        changes
    }

    fn walk(&mut self) {
        let stride = self.field.speed * STEP.as_secs_f64();
        for walker in self.walkers.values_mut() {
            let way = walker.at.distance(walker.goal);
            if way <= stride {
                walker.at = walker.goal;
                walker.goal = Point {
                    x: unit(&mut self.rng) * self.field.width,
                    y: unit(&mut self.rng) * self.field.height,
                };
            } else {
                walker.at.x += (walker.goal.x - walker.at.x) * stride / way;
                walker.at.y += (walker.goal.y - walker.at.y) * stride / way;
            }
        }
    }

    fn pairs_in_range(&self) -> BTreeSet<(StationId, StationId)> {
        let mut pairs = BTreeSet::new();
        for (&a, first) in &self.walkers {
            for (&b, second) in self.walkers.range((Bound::Excluded(a), Bound::Unbounded)) {
                if first.at.distance(second.at) <= self.field.range {
                    pairs.insert((a, b));
                }
            }
        }
        pairs
    }
}

impl Point {
    fn distance(self, other: Self) -> f64 {
        (self.x - other.x).hypot(self.y - other.y)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(speed: f64, seconds: u64) -> Vec<(u64, Input)> {
        let field = Field { width: 100.0, height: 100.0, range: 30.0, speed, edge: Edge::default() };
        let stations: Vec<StationId> = (0..8).map(StationId).collect();
        let mut walkers = RandomWaypoint::new(field, &stations, [3; 32], Instant::ZERO);
        let mut changes = Vec::new();
        for second in 0..seconds {
            let now = Instant::from_start(Duration::from_secs(second));
            changes.extend(walkers.step(now).into_iter().map(|change| (second, change)));
        }
        changes
    }

    #[test]
    fn who_stands_still_is_joined_once_and_never_cut() {
        let changes = walk(0.0, 100);
        assert!(!changes.is_empty());
        assert!(changes.iter().all(|(second, change)| *second == 0 && matches!(change, Input::Join { .. })));
    }

    #[test]
    fn who_walks_meets_and_parts_in_turn() {
        let changes = walk(5.0, 300);
        let mut together = BTreeSet::new();
        for (_, change) in &changes {
            match *change {
                Input::Join { a, b, .. } => assert!(together.insert((a, b))),
                Input::Cut { a, b } => assert!(together.remove(&(a, b))),
                Input::Command { .. } | Input::SwitchOn { .. } | Input::SwitchOff { .. } | Input::Timeout => {
                    panic!("walkers switch nothing")
                }
            }
        }
        assert!(changes.len() > 20, "{changes:?}");
        assert_eq!(changes, walk(5.0, 300));
    }
}
