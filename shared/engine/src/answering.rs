//! A person says what became of an effect of which nobody else can tell, whatever its sort.

use nexus_core::Stored;
use nexus_core::approval::{self, Answer, Approver};
use nexus_core::effect::{self, Effect, EffectId, Payload, State};
use nexus_kernel::Failure;
use url::Url;

use crate::desk::{Desk, TRIES};
use crate::footage::buying;
use crate::footage::purchase::Purchase;
use crate::publishing::{Network, PostPlan};

/// Writes down a person's answer; the state that it leads to. The same answer twice is one answer.
///
/// # Errors
/// There is no such effect; it is still being looked up, or nothing is open about it.
pub async fn answer(
    desk: &Desk<'_>,
    id: EffectId,
    approver: Approver<'_>,
    answer: &Answer,
) -> Result<State, Failure> {
    for _ in 0..TRIES {
        if let Some(post) = effect::load::<PostPlan>(desk.table, desk.scope, id).await? {
            let answer = &of_post(&post.record, answer);
            match answered(desk, post, approver, answer)? {
                Answered::Already(state) => return Ok(state),
                Answered::Now(post) => {
                    if desk.commit(effect::written(desk.scope, &post)).await? {
                        return Ok(post.record.state());
                    }
                    continue;
                }
            }
        }
        let purchase = effect::load::<Purchase>(desk.table, desk.scope, id).await?;
        let purchase = purchase.ok_or_else(|| Failure::not_found("question"))?;
        match answered(desk, purchase, approver, answer)? {
            Answered::Already(state) => return Ok(state),
            Answered::Now(purchase) => {
                let ops = match answer {
                    Answer::Happened { .. } => effect::written(desk.scope, &purchase),
                    Answer::DidNotHappen => buying::void_of(desk, &purchase).await?,
                };
                if desk.commit(ops).await? {
                    return Ok(purchase.record.state());
                }
            }
        }
    }
    Err(Desk::crowded())
}

/// The answer with what the network calls the post: the number at the end of its address, or the name that TikTok gives
/// before a post appears. What other networks' posts are kept under is a mark of ours.
fn of_post(post: &Effect<PostPlan>, answer: &Answer) -> Answer {
    let Answer::Happened { url, .. } = answer else { return answer.clone() };
    let named = match post.payload().network {
        Network::TikTok => post.handle().map(str::to_owned),
        _ => None,
    };
    let receipt = url.as_deref().and_then(numbered).or(named);
    Answer::Happened { url: url.clone(), receipt }
}

/// The number at the end of an address's path.
fn numbered(url: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    let last = url.path_segments()?.rfind(|piece| !piece.is_empty())?;
    last.bytes().all(|byte| byte.is_ascii_digit()).then(|| last.to_owned())
}

enum Answered<P> {
    Already(State),
    Now(Box<Stored<Effect<P>>>),
}

fn answered<P: Payload>(
    desk: &Desk<'_>,
    mut stored: Stored<Effect<P>>,
    approver: Approver<'_>,
    answer: &Answer,
) -> Result<Answered<P>, Failure> {
    let state = stored.record.state();
    let asked = stored.record.moved_at(State::AskAPerson).is_some();
    let same = match answer {
        Answer::Happened { .. } => state == State::Done,
        Answer::DidNotHappen => state == State::Cancelled,
    };
    if asked && same {
        return Ok(Answered::Already(state));
    }
    approval::answer(&mut stored.record, approver, answer.clone(), desk.now())?;
    Ok(Answered::Now(Box::new(stored)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_post_is_called_by_the_number_at_the_end_of_its_address() {
        for (url, number) in [
            ("https://x.com/luna/status/1445880548472328192", Some("1445880548472328192")),
            ("https://x.com/luna/status/1445880548472328192/?s=20#a", Some("1445880548472328192")),
            ("https://social.example/@luna/103254962155278888", Some("103254962155278888")),
            ("https://www.tiktok.com/@luna/video/7301234567890", Some("7301234567890")),
            ("https://social.example/objects/9f2c", None),
            ("https://social.example/", None),
            ("nonsense", None),
        ] {
            assert_eq!(numbered(url).as_deref(), number, "{url}");
        }
    }
}
