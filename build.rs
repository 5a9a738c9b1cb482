//! Compresses what the server hands out as it is (the page, the documents for machines), once, and lists it for
//! `src/http/assets.rs`.

use std::env;
use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use brotli::CompressorWriter;
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256};

/// The page's folder; of what lies there only these kinds of files are handed out.
const PAGE: &str = "web";
const KINDS: [(&str, &str); 4] = [
    ("html", "text/html; charset=utf-8"),
    ("js", "text/javascript; charset=utf-8"),
    ("css", "text/css; charset=utf-8"),
    ("svg", "image/svg+xml"),
];
const DOCUMENTS: [&str; 2] = ["docs/openapi.yaml", "docs/asyncapi.yaml"];
const YAML: &str = "application/yaml";
/// What the page's own file is called; it is found at `/`.
const INDEX: &str = "index.html";

const BUFFER: usize = 4_096;
const BROTLI_QUALITY: u32 = 11;
const BROTLI_WINDOW: u32 = 22;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = |variable: &str| env::var_os(variable).map(PathBuf::from).ok_or(format!("cargo says no {variable}"));
    let (root, out) = (folder("CARGO_MANIFEST_DIR")?, folder("OUT_DIR")?);
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed={PAGE}");
    let mut listed = String::from("&[\n");
    let page = root.join(PAGE);
    for file in files(&page)? {
        let kind = file.extension().and_then(|kind| kind.to_str()).unwrap_or_default();
        let Some((_, content_type)) = KINDS.iter().find(|(ending, _)| *ending == kind) else { continue };
        let path = file.strip_prefix(&page)?.to_str().ok_or("a name that is no text")?;
        listed.push_str(&entry(if path == INDEX { "" } else { path }, content_type, &file, &out)?);
    }
    for document in DOCUMENTS {
        println!("cargo:rerun-if-changed={document}");
        let name = document.rsplit('/').next().unwrap_or(document);
        listed.push_str(&entry(name, YAML, &root.join(document), &out)?);
    }
    listed.push_str("]\n");
    Ok(fs::write(out.join("assets.rs"), listed)?)
}

/// All files under a folder, in the order of their names.
fn files(folder: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut found = Vec::new();
    let mut entries = fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    entries.sort_by_key(fs::DirEntry::path);
    for entry in entries {
        let path = entry.path();
        if entry.file_type()?.is_dir() { found.extend(files(&path)?) } else { found.push(path) }
    }
    Ok(found)
}

/// One asset as `src/http/assets.rs` has it.
fn entry(path: &str, content_type: &str, file: &Path, out: &Path) -> Result<String, Box<dyn Error>> {
    let plain = fs::read(file)?;
    let digest = Sha256::digest(&plain);
    let tag = digest.iter().take(8).fold(String::new(), |mut tag, byte| {
        // Writing to a String cannot fail.
        let _ = write!(tag, "{byte:02x}");
        tag
    });
    let (gzip, brotli) = (out.join(format!("{tag}.gz")), out.join(format!("{tag}.br")));
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&plain)?;
    fs::write(&gzip, encoder.finish()?)?;
    let mut encoder = CompressorWriter::new(Vec::new(), BUFFER, BROTLI_QUALITY, BROTLI_WINDOW);
    encoder.write_all(&plain)?;
    fs::write(&brotli, encoder.into_inner())?;
    let [file, gzip, brotli] = [file, gzip.as_path(), brotli.as_path()].map(|path| path.display().to_string());
    Ok(format!(
        "    Asset {{ path: {path:?}, content_type: {content_type:?}, tag: {tag:?}, plain: include_bytes!({file:?}), \
         gzip: include_bytes!({gzip:?}), brotli: include_bytes!({brotli:?}) }},\n"
    ))
}
