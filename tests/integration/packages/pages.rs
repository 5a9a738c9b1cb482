//! What is written about the packages for back ends: each of its blocks stands in an app that the tests run, to the letter.

use std::path::Path;

use crate::readme::blocks::{Block, block_of, blocks};

const PAGE: &str = "from-a-rest-api.md";

fn text(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients").join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn node_app(name: &str) -> String {
    text(&format!("server/test/apps/{name}.ts"))
}

fn python_app(name: &str) -> String {
    text(&format!("python/tests/apps/{name}_app.py"))
}

#[test]
fn every_block_of_the_page_stands_in_an_app_that_is_run() {
    for (block, app) in [
        (block_of(PAGE, "express"), node_app("express")),
        (block_of(PAGE, "express-term"), node_app("express")),
        (block_of(PAGE, "fastify"), node_app("fastify")),
        (block_of(PAGE, "nest"), node_app("nest")),
        (block_of(PAGE, "django"), python_app("django")),
        (block_of(PAGE, "fastapi"), python_app("fastapi")),
        (block_of(PAGE, "fastapi-sell"), python_app("fastapi")),
    ] {
        assert!(app.contains(&block.text), "{}:\n{}", block.name, block.text);
    }
}

#[test]
fn every_block_of_the_packages_own_pages_stands_in_an_app_that_is_run() {
    for package in ["server", "python"] {
        let readme: &'static str = text(&format!("{package}/README.md")).leak();
        let shown: Vec<Block> = blocks(readme).into_iter().filter(|block| block.language != "sh").collect();
        assert!(shown.len() >= 3, "{package}: {} blocks", shown.len());
        for Block { name, text, .. } in shown {
            let app = name.split('-').next().unwrap();
            let app = if package == "server" { node_app(app) } else { python_app(app) };
            assert!(app.contains(&text), "{name}:\n{text}");
        }
    }
}
