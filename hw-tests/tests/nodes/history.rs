//! Somebody who was away is told what was said meanwhile, by somebody who was there: the authors are gone as well.

use std::sync::Arc;
use std::time::Duration;

use hopline::api::schema::ReachWord;
use hw_tests::past;
use hw_tests::record::Mark;
use hw_tests::stage::Stage;
use libtest_mimic::Failed;
use tokio::time::Instant;

const MESSAGES: usize = 200;
const HOUR: Duration = Duration::from_secs(3_600);
/// How long being told may take, from the meeting on.
const LIMIT: Duration = Duration::from_secs(30);

pub(crate) async fn run(stage: Arc<Stage>) -> Result<(), Failed> {
    let texts: Vec<String> = (0..MESSAGES).map(|number| format!("what was said before, {number}")).collect();
    let said_by = past::live(&stage.path("ada"), &texts, HOUR)?;
    let ada = stage.start("ada", &[stage.adapter(0)?]).await?;
    let ben = stage.start_dialling("ben", stage.adapter(1)?, &ada).await?;
    let met = ben.meets(&ada, ReachWord::Direct, Mark::START).await?;
    for (text, author) in texts.iter().zip(said_by) {
        let shown = ben.shows_public(text).await?;
        if shown.sender != author {
            return Err(format!("{text} was shown as somebody else's").into());
        }
    }
    let took = Instant::now().duration_since(met);
    println!(
        "{MESSAGES} messages of the past hour were there {took:.1?} after meeting somebody who had heard them (emulated)"
    );
    if took > LIMIT {
        return Err(format!("{took:.1?} instead of at most {LIMIT:?}").into());
    }
    ben.record.shown_once(&texts.iter().map(String::as_str).collect::<Vec<_>>())
}
