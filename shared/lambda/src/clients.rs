//! Whose address a request came from, as API Gateway saw it. What headers say of it is the client's own word.

use axum::extract::Request;
use lambda_http::request::RequestContext;
use nexus_kernel::ClientIp;

/// Puts the address into the request's extensions, where API Gateway told one.
pub(crate) fn into_extensions(mut request: Request) -> Request {
    let address = request.extensions().get::<RequestContext>().and_then(|context| match context {
        RequestContext::ApiGatewayV2(context) => of(context.http.source_ip.as_deref()?),
        _ => None,
    });
    if let Some(address) = address {
        request.extensions_mut().insert(address);
    }
    request
}

fn of(told: &str) -> Option<ClientIp> {
    told.parse().ok().map(ClientIp::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_either_version_is_read_and_nothing_else() {
        for address in ["192.0.2.44", "2001:db8::7"] {
            assert_eq!(of(address).map(|ip| ip.reveal().to_string()).as_deref(), Some(address));
        }
        assert!(of("test-invoke-source-ip").is_none());
    }
}
