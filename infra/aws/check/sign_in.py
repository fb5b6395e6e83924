"""People in the emulated Cognito: made by an administrator, members of a tenant's groups, signed in by SRP.

SRP is the one way in that the template's client allows for a person; botocore has no client of it.
"""

import base64
import datetime
import hashlib
import hmac
import secrets

import botocore.session

# The group of 3,072 bits of RFC 5054, with the generator that Cognito takes.
N = int(
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DD"
    "EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED"
    "EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF0598DA48361C55D39A69163FA8FD24CF5F"
    "83655D23DCA3AD961C62F356208552BB9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3B"
    "E39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF6955817183995497CEA956AE515D2261898FA0510"
    "15728E5A8AAAC42DAD33170D04507A33A85521ABDF1CBA64ECFB850458DBEF0A8AEA71575D060C7DB3970F85A6E1E4C7"
    "ABF5AE8CDB0933D71E8C94E04A25619DCEE3D2261AD2EE6BF12FFA06D98A0864D87602733EC86A64521F2B18177B200C"
    "BBE117577A615D6C770988C0BAD946E208E24FA074E5AB3143DB5BFCE0FD108E4B82D120A93AD2CAFFFFFFFFFFFFFFFF", 16)
G = 2


def cognito():
    return botocore.session.get_session().create_client("cognito-idp")


def padded(number):
    """Big-endian, never to be read as negative."""
    return number.to_bytes(number.bit_length() // 8 + 1, "big")


def digest(*parts):
    return int.from_bytes(hashlib.sha256(b"".join(parts)).digest(), "big")


def person(pool, email, groups):
    """Makes a person who has chosen a password; the password."""
    password, pools = secrets.token_urlsafe(24), cognito()
    pools.admin_create_user(
        UserPoolId=pool, Username=email, MessageAction="SUPPRESS", TemporaryPassword=secrets.token_urlsafe(24),
        UserAttributes=[{"Name": "email", "Value": email}, {"Name": "email_verified", "Value": "true"}])
    pools.admin_set_user_password(UserPoolId=pool, Username=email, Password=password, Permanent=True)
    for group in groups:
        pools.create_group(UserPoolId=pool, GroupName=group)
        pools.admin_add_user_to_group(UserPoolId=pool, Username=email, GroupName=group)
    return password


def sign_in(pool, client, email, password):
    """The person's access token."""
    pools = cognito()
    a = secrets.randbelow(N)
    public = pow(G, a, N)
    asked = pools.initiate_auth(
        ClientId=client, AuthFlow="USER_SRP_AUTH", AuthParameters={"USERNAME": email, "SRP_A": f"{public:x}"})
    asked = asked["ChallengeParameters"]
    user, theirs, salt = asked["USER_ID_FOR_SRP"], int(asked["SRP_B"], 16), int(asked["SALT"], 16)

    pool_name = pool.partition("_")[2]
    of_password = hashlib.sha256(f"{pool_name}{user}:{password}".encode()).digest()
    x = digest(padded(salt), of_password)
    u = digest(padded(public), padded(theirs))
    k = digest(padded(N), padded(G))
    shared = pow(theirs - k * pow(G, x, N), a + u * x, N)
    drawn = hmac.new(padded(u), padded(shared), hashlib.sha256).digest()
    key = hmac.new(drawn, b"Caldera Derived Key\x01", hashlib.sha256).digest()[:16]

    now = datetime.datetime.now(datetime.timezone.utc)
    moment = f"{now:%a %b} {now.day} {now:%H:%M:%S} UTC {now.year}"
    said = (pool_name + user).encode() + base64.b64decode(asked["SECRET_BLOCK"]) + moment.encode()
    signature = base64.b64encode(hmac.new(key, said, hashlib.sha256).digest()).decode()
    answered = pools.respond_to_auth_challenge(
        ClientId=client, ChallengeName="PASSWORD_VERIFIER",
        ChallengeResponses={"USERNAME": user, "TIMESTAMP": moment, "PASSWORD_CLAIM_SIGNATURE": signature,
                            "PASSWORD_CLAIM_SECRET_BLOCK": asked["SECRET_BLOCK"]})
    return answered["AuthenticationResult"]
