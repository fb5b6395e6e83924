//! The parameters by which a shop's own statistics tell where a visitor came from.

use nexus_kernel::FieldProblem;
use serde::{Deserialize, Serialize};
use url::Url;

/// The most characters of a value.
const MAX_CHARS: usize = 100;

/// UTM parameters, as a tenant set them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Utm {
    /// `utm_source`: the network, for example.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// `utm_medium`: for example `social`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub medium: Option<String>,
    /// `utm_campaign`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub campaign: Option<String>,
    /// `utm_term`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub term: Option<String>,
    /// `utm_content`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// Replace those that the target has already; else the target's own stay.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub replace: bool,
}

impl Utm {
    fn pairs(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [
            ("utm_source", &self.source),
            ("utm_medium", &self.medium),
            ("utm_campaign", &self.campaign),
            ("utm_term", &self.term),
            ("utm_content", &self.content),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.as_deref()?)))
    }

    /// What is wrong with the values, by the path of the field that holds them.
    pub(crate) fn problems(&self, at: &str) -> Vec<FieldProblem> {
        let fits = |value: &str| {
            (1..=MAX_CHARS).contains(&value.chars().count()) && !value.chars().any(char::is_control)
        };
        let wrong = self.pairs().filter(|(_, value)| !fits(value));
        let told = wrong.map(|(name, _)| FieldProblem {
            field: format!("{at}.{}", name.trim_start_matches("utm_")),
            problem: format!("write 1 to {MAX_CHARS} characters on one line"),
        });
        told.collect()
    }

    /// The target with the parameters. What stands in its query stays, byte by byte and in its order; a parameter that
    /// stands there already is replaced only where the tenant says so.
    pub fn merged(&self, mut target: Url) -> Url {
        let names = |segment: &str, name: &str| {
            form_urlencoded::parse(segment.as_bytes()).next().is_some_and(|(key, _)| key == name)
        };
        let standing = target.query().unwrap_or_default().to_owned();
        let mut segments: Vec<String> =
            standing.split('&').filter(|s| !s.is_empty()).map(str::to_owned).collect();
        let mut changed = false;
        for (name, value) in self.pairs() {
            let stands = segments.iter().any(|segment| names(segment, name));
            if stands && !self.replace {
                continue;
            }
            segments.retain(|segment| !names(segment, name));
            let value: String = form_urlencoded::byte_serialize(value.as_bytes()).collect();
            segments.push(format!("{name}={value}"));
            changed = true;
        }
        if changed {
            target.set_query(Some(&segments.join("&")));
        }
        target
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(utm: &Utm, target: &str) -> String {
        utm.merged(Url::parse(target).unwrap()).into()
    }

    #[test]
    fn what_stands_in_the_target_stays() {
        let mut utm = Utm {
            source: Some("tiktok".into()),
            campaign: Some("Spring & sale".into()),
            ..Utm::default()
        };
        for (target, expected) in [
            (
                "https://a.example/p",
                "https://a.example/p?utm_source=tiktok&utm_campaign=Spring+%26+sale",
            ),
            (
                "https://a.example/p?id=%7E1&a=b+c#top",
                "https://a.example/p?id=%7E1&a=b+c&utm_source=tiktok&utm_campaign=Spring+%26+sale#top",
            ),
            (
                "https://a.example/p?utm_source=mail&x",
                "https://a.example/p?utm_source=mail&x&utm_campaign=Spring+%26+sale",
            ),
            (
                "https://a.example/p?utm%5Fsource=mail",
                "https://a.example/p?utm%5Fsource=mail&utm_campaign=Spring+%26+sale",
            ),
        ] {
            assert_eq!(merged(&utm, target), expected);
        }
        utm.replace = true;
        assert_eq!(
            merged(&utm, "https://a.example/p?utm_source=mail&x=1&utm_source=y"),
            "https://a.example/p?x=1&utm_source=tiktok&utm_campaign=Spring+%26+sale"
        );
        assert_eq!(
            merged(&Utm::default(), "https://a.example/p?&a=1&"),
            "https://a.example/p?&a=1&"
        );
    }

    #[test]
    fn values_are_short_and_on_one_line() {
        let utm = Utm { term: Some("a\nb".into()), content: Some(String::new()), ..Utm::default() };
        let fields: Vec<String> = utm.problems("utm").into_iter().map(|p| p.field).collect();
        assert_eq!(fields, ["utm.term", "utm.content"]);
    }

    proptest::proptest! {
        #[test]
        fn no_value_leaves_its_parameter(value in ".{1,60}", query in "[a-z0-9=&%+]{0,30}") {
            let utm = Utm { source: Some(value.clone()), replace: true, ..Utm::default() };
            let target = Url::parse(&format!("https://a.example/p?{query}#f")).unwrap();
            let others = |url: &Url| -> Vec<(String, String)> {
                url.query_pairs().into_owned().filter(|(k, _)| k != "utm_source").collect()
            };
            let url = utm.merged(target.clone());
            proptest::prop_assert_eq!(others(&url), others(&target));
            proptest::prop_assert_eq!(url.host_str(), Some("a.example"));
            proptest::prop_assert_eq!(url.fragment(), Some("f"));
            let given = url.query_pairs().find(|(k, _)| k == "utm_source").map(|(_, v)| v.into_owned());
            proptest::prop_assert_eq!(given, Some(value));
        }
    }
}
