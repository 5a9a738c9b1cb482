//! `pulso token`: a development token, signed with the configured key; or what is made of a token that somebody has.
//!
//! Must not need anything of the configuration but what concerns tokens.

mod judged;

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use jiff::tz::TimeZone;

use crate::access::token::{Holder, mint_as};
use crate::clock::Clock;
use crate::config::{Mistake, OwnTokens, Secret, duration, env};

/// sysexits' EX_USAGE: the configuration is to be mended.
const EXIT_CONFIG: u8 = 64;

/// Print a token for development, signed with JWT_SECRET (from the environment or .env); or say what is made of one
///
/// With --check nothing is signed: it says which key and whose signed the token, what each feed reads in it, what it may
/// watch, and why it is refused; keys of a provider are fetched once for that. Exits with 0 when the token is good, 1 when
/// it is not, 64 when the configuration is wrong.
#[derive(Debug, clap::Args)]
pub(super) struct TokenArgs {
    /// The user the token names (claim `id`).
    #[arg(
        long,
        value_name = "ID",
        required_unless_present = "check",
        value_parser = NonEmptyStringValueParser::new()
    )]
    user: Option<String>,
    /// A token to be judged instead; `-` reads it from the standard input.
    #[arg(
        long,
        value_name = "TOKEN",
        conflicts_with_all = ["user", "negocio", "restaurant", "role"],
        value_parser = NonEmptyStringValueParser::new()
    )]
    check: Option<String>,
    /// A business the token names; may be repeated. Without it the database decides what the user owns.
    #[arg(long, value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    negocio: Vec<String>,
    /// The restaurant whose orders the token follows (claims `restaurantId` and `userId`).
    #[arg(long, value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    restaurant: Option<String>,
    /// The user's role (claim `role`): STAFF or ADMIN follow a clinic's orders.
    #[arg(long, value_name = "ROLE", value_parser = NonEmptyStringValueParser::new())]
    role: Option<String>,
    /// How long the token is good: 30m, 12h, 7d.
    #[arg(long, value_name = "DURATION", default_value = "12h", value_parser = parse_ttl)]
    ttl: Duration,
}

/// The token on stdout and nothing else; what is wrong on stderr, exit code 64.
pub(super) fn run(args: &TokenArgs) -> ExitCode {
    if let Some(token) = &args.check {
        return judged::run(token);
    }
    let signed = env::load_signing().and_then(|(secret, own, max_ttl)| {
        bound(args.ttl, max_ttl)?;
        sign(args, &secret, &own)
    });
    match signed {
        Ok(token) if writeln!(io::stdout(), "{token}").is_ok() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(mistakes) => {
            for mistake in mistakes {
                // Nobody is left to be told of a closed stderr.
                let _ = writeln!(io::stderr(), "{mistake}");
            }
            ExitCode::from(EXIT_CONFIG)
        }
    }
}

fn bound(ttl: Duration, most: Duration) -> Result<(), Vec<Mistake>> {
    if ttl <= most {
        return Ok(());
    }
    let problem = "it is longer than JWT_MAX_TTL, and a server refuses such a token";
    Err(vec![Mistake::new("--ttl", problem, "Write a shorter time, or set JWT_MAX_TTL for both")])
}

fn sign(args: &TokenArgs, secret: &Secret, own: &OwnTokens) -> Result<String, Vec<Mistake>> {
    let now = Clock::system(TimeZone::UTC).now();
    let holder = Holder {
        user: args.user.clone().unwrap_or_default(),
        negocios: args.negocio.clone(),
        restaurant: args.restaurant.clone(),
        role: args.role.clone(),
    };
    mint_as(own, secret, &holder, args.ttl, now)
        .map_err(|error| vec![Mistake::new("JWT_SECRET", error.to_string(), "Use another key")])
}

fn parse_ttl(text: &str) -> Result<Duration, &'static str> {
    match duration::parse(text) {
        Some(Duration::ZERO) | None => Err("write a duration such as 30m, 12h or 7d"),
        Some(ttl) => Ok(ttl),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::access::grant::Bounds;
    use crate::access::token::TokenVerifier;
    use crate::config::AuthConfig;
    use crate::feeds::{clinic, restaurant};
    use crate::model::{Channel, NegocioId, RestauranteId, UserId};

    #[derive(Debug, Parser)]
    struct Command {
        #[command(flatten)]
        args: TokenArgs,
    }

    fn parse(args: &[&str]) -> Result<TokenArgs, clap::Error> {
        Command::try_parse_from([&["token"], args].concat()).map(|command| command.args)
    }

    #[test]
    fn the_token_says_what_the_flags_said() {
        let args = parse(&["--user", "u1", "--negocio", "n1", "--negocio", "n2", "--ttl", "7d"]).unwrap();
        let secret = Secret::new("a-development-secret-of-32-bytes-and-more");
        let now = Clock::system(TimeZone::UTC).now();
        let identity = TokenVerifier::new(&AuthConfig::new(secret.clone()))
            .verify(&sign(&args, &secret, &OwnTokens::default()).unwrap(), now);
        let identity = identity.unwrap();
        assert_eq!(identity.user.id().as_str(), "u1");
        assert_eq!(identity.negocios[..], ["n1", "n2"]);
        assert!((identity.expires_at - now.as_second() - 7 * 86_400).abs() < 60);
    }

    #[test]
    fn one_token_may_open_every_feed() {
        let args = parse(&["--user", "u1", "--negocio", "n1", "--restaurant", "r1", "--role", "staff"]).unwrap();
        let secret = Secret::new("a-development-secret-of-32-bytes-and-more");
        let now = Clock::system(TimeZone::UTC).now();
        let claims = TokenVerifier::new(&AuthConfig::new(secret.clone()))
            .claims(&sign(&args, &secret, &OwnTokens::default()).unwrap(), now);
        let claims = claims.unwrap();
        assert_eq!(claims.identity().unwrap().negocios[..], ["n1"]);
        let bounds = Bounds { max_channels: 1, single_business: false };
        let staff = clinic::listen::staff(&claims, bounds).unwrap();
        assert_eq!(staff.channels, [Channel::StaffOrders(NegocioId::named("n1"))]);
        let room = restaurant::listen::room(&claims).unwrap();
        assert_eq!(room.channels, [Channel::Restaurante(RestauranteId::new("r1"))]);
        assert_eq!(room.found_by, [Channel::User(UserId::new("u1"))]);
    }

    #[test]
    fn no_token_is_signed_that_is_good_for_longer_than_a_server_takes() {
        let most = Duration::from_hours(366 * 24);
        assert!(bound(most, most).is_ok());
        assert!(bound(most + Duration::from_secs(1), most).unwrap_err()[0].to_string().starts_with("--ttl: "));
    }

    #[test]
    fn a_user_is_needed_and_a_token_lives_for_a_while() {
        assert_eq!(parse(&["--user", "u"]).unwrap().ttl, Duration::from_hours(12));
        assert!(parse(&[]).is_err());
        assert!(parse(&["--user", ""]).is_err());
        assert!(parse(&["--user", "u", "--restaurant", ""]).is_err());
        assert!(parse(&["--user", "u", "--role", ""]).is_err());
        assert!(parse(&["--user", "u", "--ttl", "0"]).is_err());
        assert!(parse(&["--user", "u", "--ttl", "soon"]).is_err());
    }
}
