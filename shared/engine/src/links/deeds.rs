//! What a person does with links: makes one, changes it, ends it. Doing it twice leaves what doing it once left.

use nexus_core::effect::EffectId;
use nexus_core::{Op, Role, records};
use nexus_kernel::{Failure, FieldProblem, Timestamp};

use super::link::{MAX_WEIGHT, link_key, made_for_post};
use super::{
    Link, LinkCode, LinkDefaults, MAX_RULES, MAX_TARGETS, Rule, Target, Utm, load, parse_address,
};
use crate::desk::{Desk, TRIES};

/// What a link is to be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wish {
    /// Where it leads: 1 to [`MAX_TARGETS`].
    pub targets: Vec<Target>,
    /// Whom it leads elsewhere: at most [`MAX_RULES`].
    pub rules: Vec<Rule>,
    /// The parameters of its targets.
    pub utm: Option<Utm>,
    /// When it ends.
    pub expires: Option<Timestamp>,
    /// Where it leads then.
    pub fallback: Option<String>,
}

/// The address as it is kept, or the problem under its field's name.
fn address(raw: &str, field: String, problems: &mut Vec<FieldProblem>) -> String {
    match parse_address(raw) {
        Ok(url) => url.into(),
        Err(why) => {
            problems.push(FieldProblem { field, problem: why.to_string() });
            String::new()
        }
    }
}

impl Wish {
    /// The same with its addresses as they are kept.
    ///
    /// # Errors
    /// Every field that breaks a rule.
    pub fn checked(mut self) -> Result<Self, Failure> {
        let mut problems = Vec::new();
        let mut refuse = |field: &str, problem: String| {
            problems.push(FieldProblem { field: field.to_owned(), problem });
        };
        if !(1..=MAX_TARGETS).contains(&self.targets.len()) {
            refuse("targets", format!("name 1 to {MAX_TARGETS}"));
        } else if self.targets.iter().all(|target| target.weight == 0) {
            refuse("targets", "give at least one of them a weight above 0".to_owned());
        }
        if self.targets.iter().any(|target| target.weight > MAX_WEIGHT) {
            refuse("targets", format!("a weight is 0 to {MAX_WEIGHT}"));
        }
        if self.rules.len() > MAX_RULES {
            refuse("rules", format!("write at most {MAX_RULES}"));
        }
        for (at, target) in self.targets.iter_mut().enumerate().take(MAX_TARGETS) {
            target.address =
                address(&target.address, format!("targets[{at}].address"), &mut problems);
        }
        for (at, rule) in self.rules.iter_mut().enumerate().take(MAX_RULES) {
            rule.address = address(&rule.address, format!("rules[{at}].address"), &mut problems);
            if rule.countries.is_empty() && rule.devices.is_empty() && rule.languages.is_empty() {
                let problem =
                    "name a country, a device or a language; for everyone else there are `targets`";
                problems
                    .push(FieldProblem { field: format!("rules[{at}]"), problem: problem.into() });
            }
            let many =
                rule.countries.len() > 300 || rule.devices.len() > 10 || rule.languages.len() > 100;
            if many {
                let problem = "name each country, device and language once".to_owned();
                problems.push(FieldProblem { field: format!("rules[{at}]"), problem });
            }
        }
        if let Some(raw) = self.fallback.take() {
            self.fallback = Some(address(&raw, "fallback".to_owned(), &mut problems));
        }
        problems.extend(self.utm.iter().flat_map(|utm| utm.problems("utm")));
        if problems.is_empty() {
            return Ok(self);
        }
        Err(Failure::invalid("Some fields need another value.").with_fields(problems))
    }

    fn onto(&self, link: Link) -> Link {
        let Self { targets, rules, utm, expires, fallback } = self.clone();
        Link { targets, rules, utm, expires, fallback, ..link }
    }
}

impl LinkDefaults {
    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What is wrong with it, by the path of the field.
    pub(crate) fn problems(&self) -> Vec<FieldProblem> {
        let mut problems = Vec::new();
        if let Some(raw) = &self.fallback {
            address(raw, "links.fallback".to_owned(), &mut problems);
        }
        problems.extend(self.utm.iter().flat_map(|utm| utm.problems("links.utm")));
        problems
    }
}

/// Makes a link under a code that the tenant chose, or under this one. The same made twice is one.
///
/// # Errors
/// A field breaks a rule; somebody has the code, or it is the tenant's own for another link.
pub async fn create(desk: &Desk<'_>, code: LinkCode, wish: Wish) -> Result<Link, Failure> {
    let wish = wish.checked()?;
    let link = wish.onto(Link::to(code, "", desk.now()));
    for _ in 0..TRIES {
        let key = link_key(desk.scope, &link.code);
        if let Some(stands) = records::load::<Link>(desk.table, &key, desk.now()).await? {
            let same = Link { created: stands.record.created, ..link.clone() };
            if stands.record == same {
                return Ok(stands.record);
            }
            return Err(taken());
        }
        if desk.commit(link.ops(desk.scope).into()).await? {
            return Ok(link);
        }
        let product = desk.scope.product();
        let found = super::find(desk.table, product, &link.code, desk.now()).await?;
        if found.is_some_and(|found| found.scope != *desk.scope) {
            return Err(taken());
        }
    }
    Err(taken())
}

/// Whoever has it: that another tenant does is told like that oneself does.
fn taken() -> Failure {
    Failure::conflict("This code is taken. Choose another one.")
}

/// Makes a link something else, its code and its post excepted. Changing it to what it is changes nothing.
///
/// # Errors
/// There is no such link; it was revoked; a field breaks a rule; a post's link is changed by somebody who may not
/// approve.
pub async fn change(
    desk: &Desk<'_>,
    may: impl Fn(Role) -> Result<(), Failure>,
    code: &LinkCode,
    wish: Wish,
) -> Result<Link, Failure> {
    let wish = wish.checked()?;
    for _ in 0..TRIES {
        let mut stored = load(desk.table, desk.scope, code, desk.now()).await?;
        let changed = wish.onto(stored.record.clone());
        if changed == stored.record {
            return Ok(changed);
        }
        if stored.record.post.is_some() {
            // It stands in a text that an approver has seen with where it leads.
            may(Role::Approver)?;
        }
        if stored.record.revoked.is_some() {
            return Err(Failure::conflict(
                "This link was revoked, which is for good. Make a new one.",
            ));
        }
        stored.record = changed;
        if desk.commit(vec![stored.update(desk.scope)]).await? {
            return Ok(stored.record);
        }
    }
    Err(Desk::crowded())
}

/// Ends a link for good. Ending it twice is once.
///
/// # Errors
/// There is no such link; a post's link is ended by somebody who may not approve.
pub async fn revoke(
    desk: &Desk<'_>,
    may: impl Fn(Role) -> Result<(), Failure>,
    code: &LinkCode,
) -> Result<Link, Failure> {
    for _ in 0..TRIES {
        let mut stored = load(desk.table, desk.scope, code, desk.now()).await?;
        if stored.record.revoked.is_some() {
            return Ok(stored.record);
        }
        if stored.record.post.is_some() {
            // From then on it leads to its fallback, which may be elsewhere.
            may(Role::Approver)?;
        }
        stored.record.revoked = Some(desk.now());
        if desk.commit(vec![stored.update(desk.scope)]).await? {
            return Ok(stored.record);
        }
    }
    Err(Desk::crowded())
}

/// The operation that makes a post's link that of the post which comes in its place; none where there is no such link.
///
/// # Errors
/// The store does not answer.
pub(crate) async fn handed_over(
    desk: &Desk<'_>,
    code: &str,
    to: EffectId,
) -> Result<Option<Op>, Failure> {
    let Some(code) = LinkCode::parse(code) else { return Ok(None) };
    let key = link_key(desk.scope, &code);
    let Some(mut link) = records::load::<Link>(desk.table, &key, desk.now()).await? else {
        return Ok(None);
    };
    link.record.post = Some(to);
    Ok(Some(link.update(desk.scope)))
}

/// Makes a post's link, in a commit of its own. Making it twice is once.
///
/// # Errors
/// The code is another's; the store does not answer.
pub(crate) async fn ensure_for_post(
    desk: &Desk<'_>,
    code: &str,
    target: &str,
    post: EffectId,
) -> Result<(), Failure> {
    let Some(link) = made_for_post(code, target, post, desk.now()) else { return Ok(()) };
    let key = link_key(desk.scope, &link.code);
    for _ in 0..TRIES {
        let stands = records::load::<Link>(desk.table, &key, desk.now()).await?;
        if stands.is_some() || desk.commit(link.ops(desk.scope).into()).await? {
            return Ok(());
        }
    }
    Err(Desk::crowded())
}
