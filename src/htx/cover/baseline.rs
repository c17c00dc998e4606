//! What a site showed in a visit, and whether another connection to it shows the same (spec 3, O-6 and O-7).

use super::first_flight::FirstFlight;
use super::leaf_key::LeafKey;

/// How far a value that was seen to vary may be from the latest, in hundredths of it.
const TOLERANCE: u64 = 15;

/// What one connection to a site showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// The application protocol the server chose.
    pub alpn: Vec<u8>,
    /// The version of TLS, as on the wire (0x0304 is TLS 1.3).
    pub version: u16,
    /// The cipher suite, as on the wire.
    pub cipher: u16,
    /// The group of the key exchange, as on the wire.
    pub group: u16,
    /// What kind of key the leaf certificate is for.
    pub leaf_key: LeafKey,
    /// The server's first HTTP/2 SETTINGS in their order: identifier, value.
    pub settings: Vec<(u16, u32)>,
    /// The increment of its first WINDOW_UPDATE for the connection.
    pub window_update: Option<u32>,
    /// What an answer said of HTTP/3. Recorded only: before the ticket is sent there is no answer to compare.
    pub alt_svc: Option<String>,
}

/// A connection does not show what the pre-flight did: `L2_ORIGIN_MISMATCH`, and no ticket is sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// The application protocol.
    #[error("the application protocol is not that of the pre-flight")]
    Alpn,
    /// The version of TLS.
    #[error("TLS version {actual:#06x}, {expected:#06x} in the pre-flight")]
    Version {
        /// In the pre-flight.
        expected: u16,
        /// On this connection.
        actual: u16,
    },
    /// The cipher suite.
    #[error("cipher suite {actual:#06x}, {expected:#06x} in the pre-flight")]
    Cipher {
        /// In the pre-flight.
        expected: u16,
        /// On this connection.
        actual: u16,
    },
    /// The group of the key exchange.
    #[error("group {actual:#06x}, {expected:#06x} in the pre-flight")]
    Group {
        /// In the pre-flight.
        expected: u16,
        /// On this connection.
        actual: u16,
    },
    /// The kind of key of the certificate.
    #[error("a certificate for {actual}, for {expected} in the pre-flight")]
    LeafKey {
        /// In the pre-flight.
        expected: LeafKey,
        /// On this connection.
        actual: LeafKey,
    },
    /// Other SETTINGS, or the same in another order.
    #[error("the identifiers of SETTINGS or their order are not those of the pre-flight")]
    SettingsOrder,
    /// The value of one of the SETTINGS.
    #[error("setting {id} is {actual}, {expected} in the pre-flight")]
    Setting {
        /// Which.
        id: u16,
        /// In the pre-flight.
        expected: u32,
        /// On this connection.
        actual: u32,
    },
    /// The first WINDOW_UPDATE.
    #[error("the first WINDOW_UPDATE is not that of the pre-flight")]
    WindowUpdate {
        /// In the pre-flight.
        expected: Option<u32>,
        /// On this connection.
        actual: Option<u32>,
    },
}

/// What the visits to one site showed so far: what a tunnel to it has to show as well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Baseline {
    latest: Observation,
    /// The identifiers of SETTINGS whose value was not the same in two visits; each is one of the latest.
    varied: Vec<u16>,
    window_varied: bool,
}

impl Baseline {
    /// After one visit.
    pub fn new(observation: Observation) -> Self {
        Self { latest: observation, varied: Vec::new(), window_varied: false }
    }

    /// After another visit, which counts from now on. Values that differ from the visit before may vary from then
    /// on; if anything else differs, the site is another than it was, and nothing is known to vary.
    pub fn add(&mut self, observation: Observation) {
        let before = std::mem::replace(&mut self.latest, observation);
        if same_shape(&before, &self.latest).is_err() {
            self.varied.clear();
            self.window_varied = false;
            return;
        }
        for ((id, was), (_, is)) in before.settings.iter().zip(&self.latest.settings) {
            if was != is && !self.varied.contains(id) {
                self.varied.push(*id);
            }
        }
        self.window_varied |= before.window_update != self.latest.window_update;
    }

    /// What the last visit showed.
    pub fn latest(&self) -> &Observation {
        &self.latest
    }

    /// Whether a connection showed enough to be compared: SETTINGS, and the WINDOW_UPDATE if one is expected, or else
    /// that nothing but the answer to our SETTINGS came.
    pub fn is_decided(&self, flight: &FirstFlight) -> bool {
        let all = match self.latest.window_update {
            Some(_) => flight.window_update().is_some(),
            None => flight.acknowledged() || flight.window_update().is_some(),
        };
        flight.is_over() || flight.settings().is_some() && all
    }

    /// Whether a connection shows the same: everything exactly, but for values that were seen to vary, which may be
    /// up to 15 % from the latest.
    pub fn compare(&self, observation: &Observation) -> Result<(), Mismatch> {
        same_shape(&self.latest, observation)?;
        for (&(id, expected), &(_, actual)) in self.latest.settings.iter().zip(&observation.settings) {
            if !near(expected, actual, self.varied.contains(&id)) {
                return Err(Mismatch::Setting { id, expected, actual });
            }
        }
        let (expected, actual) = (self.latest.window_update, observation.window_update);
        let same = match (expected, actual) {
            (Some(expected), Some(actual)) => near(expected, actual, self.window_varied),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        if same { Ok(()) } else { Err(Mismatch::WindowUpdate { expected, actual }) }
    }
}

/// Whether two observations differ in values only.
fn same_shape(expected: &Observation, actual: &Observation) -> Result<(), Mismatch> {
    let ids = |observation: &Observation| observation.settings.iter().map(|(id, _)| *id).collect::<Vec<_>>();
    if expected.alpn != actual.alpn {
        Err(Mismatch::Alpn)
    } else if expected.version != actual.version {
        Err(Mismatch::Version { expected: expected.version, actual: actual.version })
    } else if expected.cipher != actual.cipher {
        Err(Mismatch::Cipher { expected: expected.cipher, actual: actual.cipher })
    } else if expected.group != actual.group {
        Err(Mismatch::Group { expected: expected.group, actual: actual.group })
    } else if expected.leaf_key != actual.leaf_key {
        Err(Mismatch::LeafKey { expected: expected.leaf_key, actual: actual.leaf_key })
    } else if ids(expected) != ids(actual) {
        Err(Mismatch::SettingsOrder)
    } else {
        Ok(())
    }
}

fn near(expected: u32, actual: u32, varies: bool) -> bool {
    let (expected, actual) = (u64::from(expected), u64::from(actual));
    let tolerance = if varies { TOLERANCE } else { 0 };
    expected.abs_diff(actual).saturating_mul(100) <= expected.saturating_mul(tolerance)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: u16 = 4;

    fn visit() -> Observation {
        Observation {
            alpn: b"h2".to_vec(),
            version: 0x0304,
            cipher: 0x1301,
            group: 29,
            leaf_key: LeafKey::P256,
            settings: vec![(3, 100), (WINDOW, 10_000), (5, 16_384)],
            window_update: Some(1_000_000),
            alt_svc: None,
        }
    }

    fn with_window(value: u32) -> Observation {
        Observation { settings: vec![(3, 100), (WINDOW, value), (5, 16_384)], ..visit() }
    }

    /// A site whose window varied once, and is 10,000.
    fn varying() -> Baseline {
        let mut baseline = Baseline::new(with_window(9_000));
        baseline.add(with_window(10_000));
        baseline
    }

    #[test]
    fn r04_the_same_connection_passes_whatever_it_says_of_http_3() {
        let baseline = Baseline::new(visit());
        assert_eq!(baseline.compare(&visit()), Ok(()));
        assert_eq!(
            baseline.compare(&Observation { alt_svc: Some("h3=\":443\"".to_owned()), ..visit() }),
            Ok(())
        );
    }

    #[test]
    fn r04_every_altered_value_is_refused_with_its_name() {
        let baseline = Baseline::new(visit());
        let settings = |settings: &[(u16, u32)]| Observation { settings: settings.to_vec(), ..visit() };
        for (altered, mismatch) in [
            (Observation { alpn: b"http/1.1".to_vec(), ..visit() }, Mismatch::Alpn),
            (
                Observation { version: 0x0303, ..visit() },
                Mismatch::Version { expected: 0x0304, actual: 0x0303 },
            ),
            (
                Observation { cipher: 0x1302, ..visit() },
                Mismatch::Cipher { expected: 0x1301, actual: 0x1302 },
            ),
            (Observation { group: 23, ..visit() }, Mismatch::Group { expected: 29, actual: 23 }),
            (
                Observation { leaf_key: LeafKey::Rsa, ..visit() },
                Mismatch::LeafKey { expected: LeafKey::P256, actual: LeafKey::Rsa },
            ),
            (settings(&[(WINDOW, 10_000), (3, 100), (5, 16_384)]), Mismatch::SettingsOrder),
            (settings(&[(3, 100), (WINDOW, 10_000)]), Mismatch::SettingsOrder),
            (settings(&[(3, 100), (WINDOW, 10_000), (5, 16_384), (6, 1)]), Mismatch::SettingsOrder),
            (with_window(10_001), Mismatch::Setting { id: WINDOW, expected: 10_000, actual: 10_001 }),
            (
                Observation { window_update: None, ..visit() },
                Mismatch::WindowUpdate { expected: Some(1_000_000), actual: None },
            ),
            (
                Observation { window_update: Some(999_999), ..visit() },
                Mismatch::WindowUpdate { expected: Some(1_000_000), actual: Some(999_999) },
            ),
        ] {
            assert_eq!(baseline.compare(&altered), Err(mismatch));
        }
    }

    #[test]
    fn r04_a_window_update_that_no_pre_flight_saw_is_refused() {
        let baseline = Baseline::new(Observation { window_update: None, ..visit() });
        let mismatch = Mismatch::WindowUpdate { expected: None, actual: Some(1_000_000) };
        assert_eq!(baseline.compare(&visit()), Err(mismatch));
    }

    #[test]
    fn r05_fifteen_percent_is_accepted_and_sixteen_refused_where_two_pre_flights_differed() {
        let baseline = varying();
        for value in [8_500, 10_000, 11_500] {
            assert_eq!(baseline.compare(&with_window(value)), Ok(()), "{value}");
        }
        for actual in [8_400, 8_499, 11_501, 11_600] {
            let mismatch = Mismatch::Setting { id: WINDOW, expected: 10_000, actual };
            assert_eq!(baseline.compare(&with_window(actual)), Err(mismatch));
        }
    }

    #[test]
    fn r05_without_two_pre_flights_that_differed_one_hundredth_is_refused() {
        let mut baseline = Baseline::new(with_window(10_000));
        baseline.add(with_window(10_000));
        for actual in [9_900, 10_100] {
            let mismatch = Mismatch::Setting { id: WINDOW, expected: 10_000, actual };
            assert_eq!(baseline.compare(&with_window(actual)), Err(mismatch));
        }
    }

    #[test]
    fn r05_the_tolerance_is_for_the_id_that_varied_alone() {
        let altered = Observation { settings: vec![(3, 101), (WINDOW, 10_000), (5, 16_384)], ..visit() };
        let mismatch = Mismatch::Setting { id: 3, expected: 100, actual: 101 };
        assert_eq!(varying().compare(&altered), Err(mismatch));
        let altered = Observation { cipher: 0x1302, ..with_window(10_000) };
        assert_eq!(varying().compare(&altered), Err(Mismatch::Cipher { expected: 0x1301, actual: 0x1302 }));
    }

    #[test]
    fn r05_a_window_update_that_varied_has_the_tolerance_as_well() {
        let mut baseline = Baseline::new(visit());
        baseline.add(Observation { window_update: Some(1_100_000), ..visit() });
        let at = |increment| Observation { window_update: Some(increment), ..visit() };
        assert_eq!(baseline.compare(&at(1_265_000)), Ok(()));
        assert!(baseline.compare(&at(1_265_001)).is_err());
    }

    #[test]
    fn r05_a_site_that_became_another_is_known_for_no_variation() {
        let mut baseline = varying();
        baseline.add(Observation { group: 0x11EC, ..with_window(10_000) });
        let altered = Observation { group: 0x11EC, ..with_window(10_001) };
        assert!(baseline.compare(&altered).is_err());
    }

    #[test]
    fn a_value_of_zero_that_varied_is_met_by_zero_alone() {
        let mut baseline = Baseline::new(with_window(1));
        baseline.add(with_window(0));
        assert_eq!(baseline.compare(&with_window(0)), Ok(()));
        assert!(baseline.compare(&with_window(1)).is_err());
    }

    #[test]
    fn a_connection_is_compared_when_all_that_is_expected_came() {
        let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
        let acknowledgement = [0, 0, 0, 4, 1, 0, 0, 0, 0];
        let window_update = [0, 0, 4, 8, 0, 0, 0, 0, 0, 0, 0, 0, 9];
        let decided = |window_update, frames: &[&[u8]]| {
            let mut flight = FirstFlight::default();
            flight.read(&frames.concat());
            Baseline::new(Observation { window_update, ..visit() }).is_decided(&flight)
        };
        assert!(!decided(Some(9), &[&settings, &acknowledgement]));
        assert!(decided(Some(9), &[&settings, &window_update]));
        assert!(!decided(None, &[&settings]));
        assert!(decided(None, &[&settings, &acknowledgement]));
        assert!(decided(None, &[&settings, &window_update]));
        assert!(decided(Some(9), &[b"HTTP/1.1 400 Bad Request\r\n".repeat(700).as_slice()]));
    }
}
