//! A queue with a bound that is shared fairly: when it is full, whoever has the most in it loses the oldest of theirs.
//! A flooder so displaces only itself.

use std::collections::{BTreeMap, VecDeque};

/// Things in the order in which they came, each with whose share it takes.
#[derive(Debug)]
pub(super) struct Fair<K, T> {
    items: VecDeque<(K, T)>,
    most: usize,
}

impl<K: Ord + Copy, T> Fair<K, T> {
    /// An empty queue for so many.
    pub(super) const fn new(most: usize) -> Self {
        Self { items: VecDeque::new(), most }
    }

    /// Puts one in; when there are too many, one goes: that one.
    pub(super) fn push(&mut self, owner: K, item: T) -> Option<T> {
        self.items.push_back((owner, item));
        if self.items.len() <= self.most {
            return None;
        }
        let mut shares: BTreeMap<K, usize> = BTreeMap::new();
        for (owner, _) in &self.items {
            *shares.entry(*owner).or_default() += 1;
        }
        let most = shares.values().max();
        let place = self.items.iter().position(|(owner, _)| shares.get(owner) == most);
        place.and_then(|place| self.items.remove(place)).map(|(_, item)| item)
    }

    /// Takes out what is wanted, the oldest first.
    pub(super) fn take(&mut self, wanted: impl Fn(&K, &T) -> bool) -> Vec<T> {
        let all = std::mem::take(&mut self.items);
        let (taken, rest) = all.into_iter().partition::<VecDeque<_>, _>(|(owner, item)| wanted(owner, item));
        self.items = rest;
        taken.into_iter().map(|(_, item)| item).collect()
    }

    /// Everything, to be changed in its place.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.items.iter_mut().map(|(_, item)| item)
    }

    /// Everything, the oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &T)> {
        self.items.iter().map(|(owner, item)| (owner, item))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_the_most_loses_the_oldest_of_theirs() {
        let mut queue = Fair::new(4);
        queue.push('a', 1);
        let gone: Vec<_> = (10..100).filter_map(|item| queue.push('b', item)).collect();
        assert_eq!(gone, (10..97).collect::<Vec<_>>());
        queue.push('c', 2);
        let left: Vec<_> = queue.iter().map(|(&owner, &item)| (owner, item)).collect();
        assert_eq!(left, [('a', 1), ('b', 98), ('b', 99), ('c', 2)]);
        assert_eq!(queue.take(|&owner, _| owner != 'b'), [1, 2]);
        assert_eq!(queue.iter().count(), 2);
    }
}
