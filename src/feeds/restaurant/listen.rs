//! Who may listen to a restaurant's orders: who has a token that names it.
//!
//! Must not know how a listener comes in.

use crate::access::grant::{Denial, Grant};
use crate::access::token::Claims;
use crate::model::{Channel, RestauranteId};

/// The room of the token's restaurant, and no other.
pub fn room(claims: &Claims) -> Result<Grant, Denial> {
    let named = claims.restaurant().ok_or(Denial::NoRestaurant)?;
    let restaurant = RestauranteId::named(&named).ok_or(Denial::NoRestaurant)?;
    Ok(Grant::by_token(claims, vec![Channel::Restaurante(restaurant)]))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_restaurant_is_needed_and_its_user_is_not() {
        let grant = room(&Claims::of(&json!({"restaurantId":"9F1C2B3A-0000-4000-8000-00000000ABCD"}))).unwrap();
        let restaurant = RestauranteId::new("9f1c2b3a-0000-4000-8000-00000000abcd");
        assert_eq!((grant.channels, grant.found_by), (vec![Channel::Restaurante(restaurant)], vec![]));
        for none in [
            json!({"userId":"u"}),
            json!({"restaurantId":""}),
            json!({"restaurantId":["r"]}),
            json!({"restaurantId":1.5}),
        ] {
            assert_eq!(room(&Claims::of(&none)).unwrap_err(), Denial::NoRestaurant, "{none}");
        }
    }
}
