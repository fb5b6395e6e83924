//! What stands before HTTP functions, as API Gateway's HTTP APIs do it: routes, the JWT authorizer, CORS,
//! payload limits and time limits. Its own answers have API Gateway's shape: `{"message": …}`.

use std::net::SocketAddr;
use std::sync::{Arc, Once};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, on};
use nexus_core::Claims;
use nexus_engine::clicks::client::Proxies;
use nexus_kernel::{Ambient, ClientIp};
use tower_http::cors::{AllowHeaders, AllowMethods, AllowOrigin, CorsLayer, ExposeHeaders};

use crate::issuer::Issuer;
use crate::live_stream;
use crate::running::{CallError, MAX_PAYLOAD, Running};
use crate::template::plan::{Api, Auth, Authorizer, Cors};

/// The longest that API Gateway waits for a function.
const INTEGRATION_TIMEOUT: Duration = Duration::from_secs(30);

/// A route of an API.
pub struct Route {
    /// The method; HEAD is a route of its own.
    pub method: Method,
    /// The path as AWS writes it.
    pub path: String,
    /// Who may pass.
    pub auth: Auth,
    /// Where it goes.
    pub function: Arc<Running>,
}

/// What every route of an API checks by.
struct Door {
    api: Api,
    issuer: Arc<Issuer>,
    ambient: Ambient,
    proxies: Arc<Proxies>,
}

/// The router of an API.
///
/// # Errors
/// A route's path or method that the router does not take.
pub fn router(
    api: &Api,
    routes: Vec<Route>,
    issuer: &Arc<Issuer>,
    ambient: &Ambient,
    proxies: &Arc<Proxies>,
) -> Result<Router, String> {
    let (issuer, proxies) = (Arc::clone(issuer), Arc::clone(proxies));
    let door = Arc::new(Door { api: api.clone(), issuer, ambient: ambient.clone(), proxies });
    let missing = || async { message(StatusCode::NOT_FOUND, "Not Found") };
    let (mut router, mut live) = (Router::new(), None::<MethodRouter>);
    for route in routes {
        let path = route.path.replace("+}", "}").replace("{proxy}", "{*proxy}");
        let filter = MethodFilter::try_from(route.method.clone()).map_err(|e| e.to_string())?;
        let covers_live = live_stream::is_under(&route.path);
        let (door, route) = (Arc::clone(&door), Arc::new(route));
        let handler = move |request: Request| {
            let (door, route) = (Arc::clone(&door), Arc::clone(&route));
            async move { door.pass(&route, request).await }
        };
        if covers_live {
            live = Some(live.unwrap_or_default().on(filter, handler.clone()));
        }
        router = router.route(&path, on(filter, handler));
    }
    if let Some(polls) = live {
        router = router.route(live_stream::PATH, live_stream::before(polls.fallback(missing)));
    }
    let router = router.fallback(missing).method_not_allowed_fallback(missing);
    Ok(match &api.cors {
        Some(cors) => router.layer(cors_layer(cors)),
        None => router,
    })
}

impl Door {
    async fn pass(&self, route: &Route, mut request: Request) -> Response {
        // A GET route of an HTTP API answers no HEAD.
        if *request.method() != route.method {
            return message(StatusCode::NOT_FOUND, "Not Found");
        }
        // Only the entrance puts claims and the client's address into a request.
        request.extensions_mut().remove::<Claims>();
        request.extensions_mut().remove::<ClientIp>();
        if let Some(address) = client(&self.proxies, &request) {
            request.extensions_mut().insert(address);
        }
        match &route.auth {
            Auth::None => {}
            Auth::Jwt(name) => match self.claims(name, request.headers()) {
                Some(claims) => {
                    request.extensions_mut().insert(claims);
                }
                None => {
                    let mut refused = message(StatusCode::UNAUTHORIZED, "Unauthorized");
                    refused
                        .headers_mut()
                        .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
                    return refused;
                }
            },
            Auth::Function(_) => {
                return message(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error");
            }
        }
        let (parts, body) = request.into_parts();
        let Ok(body) = axum::body::to_bytes(body, MAX_PAYLOAD).await else {
            return message(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large");
        };
        let request = Request::from_parts(parts, Body::from(body));
        let answer =
            tokio::time::timeout(INTEGRATION_TIMEOUT, route.function.request(request)).await;
        let response = match answer {
            Ok(Ok(response)) => response,
            Err(_) | Ok(Err(CallError::TimedOut(..))) => {
                return message(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable");
            }
            Ok(Err(error)) => {
                tracing::error!(function = %route.function.name, "{error}");
                return message(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error");
            }
        };
        let (parts, body) = response.into_parts();
        match axum::body::to_bytes(body, MAX_PAYLOAD).await {
            Ok(body) => Response::from_parts(parts, Body::from(body)),
            Err(_) => message(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error"),
        }
    }

    fn claims(&self, authorizer: &str, headers: &HeaderMap) -> Option<Claims> {
        let Some(Authorizer::Jwt { audience, .. }) = self.api.authorizers.get(authorizer) else {
            return None;
        };
        let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
        let token = value.strip_prefix("Bearer ").unwrap_or(value);
        self.issuer.check(token.trim(), audience, self.ambient.now())
    }
}

/// Whose address it is; nobody's in a call within the process.
fn client(proxies: &Proxies, request: &Request) -> Option<ClientIp> {
    let ConnectInfo(peer) = request.extensions().get::<ConnectInfo<SocketAddr>>()?;
    let told = request.headers().get_all(proxies.told_by.header());
    if proxies.trusted.is_empty() && told.iter().next().is_some() {
        static TOLD: Once = Once::new();
        TOLD.call_once(|| {
            tracing::warn!(
                "requests say that a proxy passed them on, and no proxy is believed: everybody counts as one visitor from \
                 nowhere. Set `TRUSTED_PROXIES` to the networks that your proxies are in"
            );
        });
    }
    // A value that is no text hides whoever stands behind it.
    let told = told.iter().map(|value| value.to_str().unwrap_or("unknown"));
    Some(proxies.client(peer.ip(), told))
}

/// An answer of the gateway itself.
fn message(status: StatusCode, text: &'static str) -> Response {
    (status, axum::Json(serde_json::json!({ "message": text }))).into_response()
}

fn cors_layer(cors: &Cors) -> CorsLayer {
    let any = |list: &[String]| list.iter().any(|v| v == "*");
    let values = |list: &[String]| {
        list.iter().filter_map(|v| HeaderValue::from_str(v).ok()).collect::<Vec<_>>()
    };
    let names = |list: &[String]| {
        list.iter().filter_map(|v| v.parse::<HeaderName>().ok()).collect::<Vec<_>>()
    };
    let methods = cors.methods.iter().filter_map(|m| m.parse::<Method>().ok()).collect::<Vec<_>>();
    let mut layer = CorsLayer::new()
        .allow_origin(if any(&cors.origins) {
            AllowOrigin::any()
        } else {
            AllowOrigin::list(values(&cors.origins))
        })
        .allow_methods(if any(&cors.methods) {
            AllowMethods::any()
        } else {
            AllowMethods::list(methods)
        })
        .allow_headers(if any(&cors.headers) {
            AllowHeaders::any()
        } else {
            AllowHeaders::list(names(&cors.headers))
        })
        .expose_headers(ExposeHeaders::list(names(&cors.exposed)));
    if let Some(age) = cors.max_age {
        layer = layer.max_age(age);
    }
    layer
}

#[cfg(test)]
mod tests {
    use nexus_engine::clicks::client::ToldBy;

    use super::*;

    #[test]
    fn n10_a_forged_header_is_nobodys_address() {
        let proxies = Proxies::parse("10.0.0.0/8", ToldBy::XForwardedFor).unwrap();
        let seen = |peer: Option<[u8; 4]>, headers: &[(&'static str, &[u8])]| {
            let mut request = Request::new(Body::empty());
            for (name, value) in headers {
                let value = HeaderValue::from_bytes(value).unwrap();
                request.headers_mut().append(HeaderName::from_static(name), value);
            }
            if let Some(peer) = peer {
                request.extensions_mut().insert(ConnectInfo(SocketAddr::from((peer, 5000))));
            }
            client(&proxies, &request).map(|address| address.reveal().to_string())
        };
        let (outside, proxy) = (Some([203, 0, 113, 9]), Some([10, 0, 0, 1]));
        let told = ("x-forwarded-for", &b"198.51.100.7"[..]);
        let other = ("forwarded", &b"for=198.51.100.8"[..]);
        assert_eq!(seen(outside, &[told, other]).as_deref(), Some("203.0.113.9"));
        assert_eq!(seen(proxy, &[told, other]).as_deref(), Some("198.51.100.7"));
        let forged = ("x-forwarded-for", &b"6.6.6.6"[..]);
        assert_eq!(seen(proxy, &[forged, told]).as_deref(), Some("198.51.100.7"));
        assert_eq!(
            seen(proxy, &[told, ("x-forwarded-for", &b"\xff"[..])]).as_deref(),
            Some("10.0.0.1")
        );
        assert_eq!(seen(None, &[told]), None, "nobody is connected in a call within the process");
    }
}
