//! Short links, as their owner makes, changes and ends them.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use nexus_core::effect::EffectId;
use nexus_core::table::{Index, Query};
use nexus_engine::clicks::DeviceClass;
use nexus_engine::links::{
    self, Country, Link, LinkCode, LinkDefaults, Rule, Spoken, Target, Utm, Wish, link_list,
};
use nexus_handler::http::{Json, Problem, Query as Asked};
use nexus_kernel::{Failure, FailureKind, FieldProblem, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::asking::{Asking, Named};
use crate::pages::{Listed, PageOf, newest};
use crate::{Deps, words};

/// Parameters that a target gets: `utm_source` and its like. What the target has already stays, unless `replace`.
#[derive(Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = Utm)]
pub(crate) struct UtmBody {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 100, example = "tiktok")]
    source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 100, example = "social")]
    medium: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 100)]
    campaign: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 100)]
    term: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 100)]
    content: Option<String>,
    /// Replace those that the target has already.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    replace: bool,
}

/// What links do that say nothing else.
#[derive(Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = LinkDefaults)]
pub(crate) struct LinkDefaultsBody {
    /// The parameters that targets get.
    #[serde(skip_serializing_if = "Option::is_none")]
    utm: Option<UtmBody>,
    /// Where a link leads that has expired or was revoked; else it is answered 404.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 2000, example = "https://example.com/")]
    fallback: Option<String>,
}

/// One of a link's targets.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = LinkTarget)]
pub(crate) struct TargetBody {
    /// An address that begins with `https://` or `http://`.
    #[schema(max_length = 2000, example = "https://example.com/loaf")]
    address: String,
    /// How many of those who follow it, beside the weights of the others.
    #[serde(default = "one")]
    #[schema(minimum = 0, maximum = 1000, default = 1)]
    weight: u32,
}

fn one() -> u32 {
    1
}

/// Leads some elsewhere. A list that is left out is about everyone; all lists have to hold.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = LinkRule)]
pub(crate) struct RuleBody {
    /// Who is in one of these countries: ISO 3166-1, two letters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>, example = json!(["ES", "MX"]))]
    countries: Vec<Country>,
    /// Who uses one of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(schema_with = words::devices)]
    devices: Vec<DeviceClass>,
    /// Who likes best to read one of these, as their browser tells.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>, example = json!(["es"]))]
    languages: Vec<Spoken>,
    /// Where they are led.
    #[schema(max_length = 2000)]
    address: String,
}

/// What a link is.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = LinkFacts)]
pub(crate) struct LinkBody {
    /// Where it leads: one address, or several that share those who follow it by their weights.
    #[schema(min_items = 1, max_items = 10)]
    targets: Vec<TargetBody>,
    /// Whom it leads elsewhere; the first rule that holds counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 20)]
    rules: Vec<RuleBody>,
    /// The parameters of its targets; the settings' where it says nothing, none where it is empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    utm: Option<UtmBody>,
    /// From then on it leads nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires: Option<Timestamp>,
    /// Where it leads once it leads nowhere; else as the settings have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 2000)]
    fallback: Option<String>,
}

/// A link that is to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewLink)]
pub(crate) struct NewLinkBody {
    /// A code of your own; else one is made, without letters that look alike.
    #[serde(default)]
    #[schema(min_length = 4, max_length = 40, example = "spring-sale")]
    code: Option<String>,
    link: LinkBody,
}

/// A link.
#[derive(Serialize, ToSchema)]
#[schema(as = Link)]
pub(crate) struct LinkView {
    code: String,
    /// Its whole address, where this deployment answers links.
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    link: LinkBody,
    /// The post that it was made for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    post: Option<EffectId>,
    created: Timestamp,
    /// Since when it leads nowhere because somebody said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked: Option<Timestamp>,
}

impl UtmBody {
    fn is_empty(&self) -> bool {
        let Self { source, medium, campaign, term, content, replace } = self;
        !replace && [source, medium, campaign, term, content].iter().all(|value| value.is_none())
    }
}

impl From<UtmBody> for Utm {
    fn from(UtmBody { source, medium, campaign, term, content, replace }: UtmBody) -> Self {
        Self { source, medium, campaign, term, content, replace }
    }
}

impl From<Utm> for UtmBody {
    fn from(Utm { source, medium, campaign, term, content, replace }: Utm) -> Self {
        Self { source, medium, campaign, term, content, replace }
    }
}

impl LinkDefaultsBody {
    pub(crate) fn is_empty(&self) -> bool {
        self.utm.as_ref().is_none_or(UtmBody::is_empty) && self.fallback.is_none()
    }
}

impl From<LinkDefaultsBody> for LinkDefaults {
    fn from(LinkDefaultsBody { utm, fallback }: LinkDefaultsBody) -> Self {
        Self { utm: utm.map(Utm::from), fallback }
    }
}

impl From<LinkDefaults> for LinkDefaultsBody {
    fn from(LinkDefaults { utm, fallback }: LinkDefaults) -> Self {
        Self { utm: utm.map(UtmBody::from), fallback }
    }
}

impl From<RuleBody> for Rule {
    fn from(RuleBody { countries, devices, languages, address }: RuleBody) -> Self {
        Self { countries, devices, languages, address }
    }
}

impl From<Rule> for RuleBody {
    fn from(Rule { countries, devices, languages, address }: Rule) -> Self {
        Self { countries, devices, languages, address }
    }
}

impl From<LinkBody> for Wish {
    fn from(LinkBody { targets, rules, utm, expires, fallback }: LinkBody) -> Self {
        let target = |TargetBody { address, weight }| Target { address, weight };
        Self {
            targets: targets.into_iter().map(target).collect(),
            rules: rules.into_iter().map(Rule::from).collect(),
            utm: utm.map(Utm::from),
            expires,
            fallback,
        }
    }
}

impl LinkView {
    fn of(link: Link, base: Option<&str>) -> Self {
        let address = address(&link.code, base);
        let Link { code, targets, rules, utm, post, created, expires, revoked, fallback } = link;
        let target = |Target { address, weight }| TargetBody { address, weight };
        let link = LinkBody {
            targets: targets.into_iter().map(target).collect(),
            rules: rules.into_iter().map(RuleBody::from).collect(),
            utm: utm.map(UtmBody::from),
            expires,
            fallback,
        };
        Self { code: code.to_string(), address, link, post, created, revoked }
    }
}

/// The same failure, its fields named as they stand in the body of a new link.
fn within_link(failure: Failure) -> Failure {
    if failure.kind() != FailureKind::Invalid {
        return failure;
    }
    let within = |problem: &FieldProblem| FieldProblem {
        field: format!("link.{}", problem.field),
        problem: problem.problem.clone(),
    };
    let fields = failure.fields().iter().map(within).collect();
    Failure::invalid(failure.public()).with_fields(fields)
}

/// A code's whole address.
pub(super) fn address(code: &LinkCode, base: Option<&str>) -> Option<String> {
    base.map(|base| format!("{}/{code}", base.trim_end_matches('/')))
}

/// The links, newest first
#[utoipa::path(
    get, path = "/v1/links", operation_id = "list_links", tag = "links",
    params(PageOf),
    responses((status = 200, body = Listed<LinkView>))
)]
pub(crate) async fn list(
    State(deps): State<Arc<Deps>>,
    asking: Asking,
    Asked(page): Asked<PageOf>,
) -> Result<Json<Listed<LinkView>>, Problem> {
    let all = [Query::of(Index::List, link_list(asking.scope()))];
    let links = newest::<Link>(&*deps.table, &all, &page, deps.ambient.now()).await?;
    Ok(Json(links.map(|link| LinkView::of(link, deps.link_base.as_deref()))))
}

/// Make a link
///
/// The same link under the same code of your own, sent twice, is made once.
#[utoipa::path(
    post, path = "/v1/links", operation_id = "make_link", tag = "links",
    request_body = NewLinkBody,
    responses((status = 201, body = LinkView, headers(("Location" = String))))
)]
pub(crate) async fn create(
    State(deps): State<Arc<Deps>>,
    asking: Asking,
    Json(NewLinkBody { code, link }): Json<NewLinkBody>,
) -> Result<impl IntoResponse, Problem> {
    let code = match code {
        Some(chosen) => LinkCode::chosen(&chosen)?,
        // It follows from an id that is the same one again, should the request run twice.
        None => LinkCode::derived(&["link", &asking.ids().draw().to_string()]),
    };
    let made = links::create(&asking.desk(&deps), code, link.into()).await;
    let link = made.map_err(within_link)?;
    let location = [(header::LOCATION, format!("/v1/links/{}", link.code))];
    let view = LinkView::of(link, deps.link_base.as_deref());
    Ok((StatusCode::CREATED, location, Json(view)))
}

/// A link
#[utoipa::path(
    get, path = "/v1/links/{id}", operation_id = "read_link", tag = "links",
    params(("id" = String, Path, description = "Its code.")),
    responses((status = 200, body = LinkView))
)]
pub(crate) async fn read(
    State(deps): State<Arc<Deps>>,
    asking: Asking,
    Named(code): Named<LinkCode>,
) -> Result<Json<LinkView>, Problem> {
    let stored = links::load(&*deps.table, asking.scope(), &code, deps.ambient.now()).await?;
    Ok(Json(LinkView::of(stored.record, deps.link_base.as_deref())))
}

/// Change a link
///
/// Its code stays. A post's link is changed by somebody who may approve: it stands in what was approved. Those who
/// follow it are led there within half a minute.
#[utoipa::path(
    put, path = "/v1/links/{id}", operation_id = "change_link", tag = "links",
    params(("id" = String, Path, description = "Its code.")),
    request_body = LinkBody,
    responses((status = 200, body = LinkView))
)]
pub(crate) async fn change(
    State(deps): State<Arc<Deps>>,
    asking: Asking,
    Named(code): Named<LinkCode>,
    Json(body): Json<LinkBody>,
) -> Result<Json<LinkView>, Problem> {
    let may = |role| asking.caller.require(role);
    let link = links::change(&asking.desk(&deps), may, &code, body.into()).await?;
    Ok(Json(LinkView::of(link, deps.link_base.as_deref())))
}

/// End a link for good
///
/// Within half a minute nobody is led to its targets any more. A post's link is ended by somebody who may approve.
#[utoipa::path(
    post, path = "/v1/links/{id}/revoke", operation_id = "revoke_link", tag = "links",
    params(("id" = String, Path, description = "Its code.")),
    responses((status = 200, body = LinkView))
)]
pub(crate) async fn revoke(
    State(deps): State<Arc<Deps>>,
    asking: Asking,
    Named(code): Named<LinkCode>,
) -> Result<Json<LinkView>, Problem> {
    let may = |role| asking.caller.require(role);
    let link = links::revoke(&asking.desk(&deps), may, &code).await?;
    Ok(Json(LinkView::of(link, deps.link_base.as_deref())))
}
