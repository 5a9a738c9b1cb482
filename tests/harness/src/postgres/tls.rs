//! A certificate authority and a server certificate that it signed, made by the openssl command.

use std::path::PathBuf;
use std::process::Command;

use crate::process::{ServiceDir, find, run};

/// Leaves `server.crt` and `server.key` in `dir`; returns the authority's certificate.
pub(crate) fn certify(dir: &ServiceDir) -> PathBuf {
    let san = dir.write("san.cnf", "subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n");
    let openssl = |arguments: &[&str]| {
        let mut command = Command::new(find("openssl", "openssl"));
        command.current_dir(dir.path()).args(arguments);
        run(&mut command, "openssl");
    };
    let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    openssl(
        &[
            &["req", "-x509"],
            &key[..],
            &["-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=Pulso test CA", "-days", "30"],
        ]
        .concat(),
    );
    openssl(&[&["req"], &key[..], &["-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost"]].concat());
    let san = san.to_string_lossy();
    openssl(&[
        "x509",
        "-req",
        "-in",
        "server.csr",
        "-CA",
        "ca.crt",
        "-CAkey",
        "ca.key",
        "-CAcreateserial",
        "-days",
        "30",
        "-extfile",
        &san,
        "-out",
        "server.crt",
    ]);
    dir.adopt("server.key");
    dir.adopt("server.crt");
    dir.path().join("ca.crt")
}
