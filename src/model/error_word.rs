//! Why a request is not done, in one word for programs: the `error` of the answer. The one table; `error_word.txt` explains each.

listed! {
    /// Never renamed once it was released.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum ErrorWord {
        BadRequest,
        Unauthorized,
        InvalidToken,
        Forbidden,
        OriginNotAllowed,
        NotFound,
        SwitchedOff,
        UnknownDevice,
        UnknownTenant,
        MethodNotAllowed,
        BodyTimeout,
        BodyTooLarge,
        NotJson,
        Compressed,
        UpgradeRequired,
        TooManyDevices,
        TooManyChecks,
        TooManyConnects,
        FiguresUnavailable,
        ResultUnavailable,
        Busy,
        NotConfigured,
        NotMigrated,
        OutcomeUnknown,
    }
}

impl ErrorWord {
    /// What is said of each: an entry by its text.
    pub const DESCRIBED: &str = include_str!("error_word.txt");

    pub fn text(self) -> &'static str {
        match self {
            Self::BadRequest => "bad_request",
            Self::Unauthorized => "unauthorized",
            Self::InvalidToken => "invalid_token",
            Self::Forbidden => "forbidden",
            Self::OriginNotAllowed => "origin_not_allowed",
            Self::NotFound => "not_found",
            Self::SwitchedOff => "switched_off",
            Self::UnknownDevice => "unknown_device",
            Self::UnknownTenant => "unknown_tenant",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::BodyTimeout => "body_timeout",
            Self::BodyTooLarge => "body_too_large",
            Self::NotJson => "not_json",
            Self::Compressed => "compressed",
            Self::UpgradeRequired => "upgrade_required",
            Self::TooManyDevices => "too_many_devices",
            Self::TooManyChecks => "too_many_checks",
            Self::TooManyConnects => "too_many_connects",
            Self::FiguresUnavailable => "figures_unavailable",
            Self::ResultUnavailable => "result_unavailable",
            Self::Busy => "busy",
            Self::NotConfigured => "not_configured",
            Self::NotMigrated => "not_migrated",
            Self::OutcomeUnknown => "outcome_unknown",
        }
    }

    /// The status that goes with it.
    pub fn status(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::Unauthorized | Self::InvalidToken => 401,
            Self::Forbidden | Self::OriginNotAllowed => 403,
            Self::NotFound | Self::SwitchedOff | Self::UnknownDevice | Self::UnknownTenant => 404,
            Self::MethodNotAllowed => 405,
            Self::BodyTimeout => 408,
            Self::BodyTooLarge => 413,
            Self::NotJson | Self::Compressed => 415,
            Self::UpgradeRequired => 426,
            Self::TooManyDevices | Self::TooManyChecks | Self::TooManyConnects => 429,
            Self::FiguresUnavailable | Self::ResultUnavailable => 500,
            Self::Busy | Self::NotConfigured | Self::NotMigrated | Self::OutcomeUnknown => 503,
        }
    }
}
