//! `CLAIM_*` and `STAFF_ROLES`.

use crate::config::reader::{Reader, quote};
use crate::config::{ClaimMap, ClaimPath};

/// What a path should look like.
pub(super) const PATHS: &str = "Write names with dots between, in quotes where they have dots: app_metadata.negocio_id or \"https://example.com/tenant\"";

pub(super) fn read(reader: &mut Reader<'_>) -> ClaimMap {
    let default = ClaimMap::default();
    ClaimMap {
        user: paths(reader, "CLAIM_USER").unwrap_or(default.user),
        negocio: paths(reader, "CLAIM_NEGOCIO").unwrap_or(default.negocio),
        negocios: paths(reader, "CLAIM_NEGOCIOS").unwrap_or(default.negocios),
        restaurant: paths(reader, "CLAIM_RESTAURANT").unwrap_or(default.restaurant),
        role: paths(reader, "CLAIM_ROLE"),
        staff_roles: reader.list("STAFF_ROLES").unwrap_or(default.staff_roles),
        user_prefix: default.user_prefix,
        others_prefixes: default.others_prefixes,
    }
}

/// `None` if nothing is written there, or nothing that can be used.
fn paths(reader: &mut Reader<'_>, variable: &str) -> Option<Vec<ClaimPath>> {
    let text = reader.text(variable)?;
    match ClaimPath::list(&text) {
        Ok(paths) => {
            warn_of_users_own(reader, variable, "", &paths);
            Some(paths)
        }
        Err(problem) => {
            reader.mistake(variable, format!("{}: {problem}", quote(&text)), PATHS);
            None
        }
    }
}

/// `of`: whose tokens are meant, if there are several.
pub(super) fn warn_of_users_own(reader: &mut Reader<'_>, variable: &str, of: &str, paths: &[ClaimPath]) {
    for path in paths.iter().filter(|path| path.is_written_by_users()) {
        let text = format!("{of}{path} is what users write there themselves, so they say for themselves what they may");
        reader.warn(variable, text);
    }
}
