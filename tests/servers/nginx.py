"""What with-servers.py starts nginx with: files to serve, certificates, and a configuration, all in a temporary folder.

The three ports serve the same, the first without TLS:

    /1k.txt       1024 bytes
    /1m.bin       1 MiB, every byte value, in an order that repeats after 65537 bytes
    /text.txt     100 KB of text; gzip for those who accept it
    /site/        the pages of tests/servers/site: a loop, dead links, fragments, a link to elsewhere
    /protocol     text: the protocol of the request and the version of TLS, "HTTP/2.0 TLSv1.3"
    /status       what nginx counts: connections and requests (stub_status)

TLS has HTTP/2. Its certificates are signed by an authority made at each start, ca.pem:

    tls           for localhost and 127.0.0.1
    wrong host    for wrong.test
    expired       for localhost and 127.0.0.1, until yesterday
"""

import os
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
LOCAL = "DNS:localhost,IP:127.0.0.1"
# name: (alternative names, days)
CERTIFICATES = {"tls": (LOCAL, 30), "wrong": ("DNS:wrong.test", 30), "expired": (LOCAL, -1)}

CONFIGURATION = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{
    worker_connections 4096;
}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    types {{
        text/html html;
        text/plain txt;
    }}
    default_type application/octet-stream;
    keepalive_timeout 60s;
    keepalive_requests 1000000;
    ssl_protocols TLSv1.2 TLSv1.3;
    server {{
        listen 127.0.0.1:{plain};
        include {folder}/paths.conf;
    }}
{servers}}}
"""

TLS_SERVER = """    server {{
        listen 127.0.0.1:{port} ssl http2;
        ssl_certificate {folder}/{name}.pem;
        ssl_certificate_key {folder}/{name}.key;
        include {folder}/paths.conf;
    }}
"""

PATHS = """root {folder}/files;
location /site/ {{
    root {here};
    index index.html;
}}
location = /text.txt {{
    gzip on;
    gzip_types text/plain;
}}
location = /protocol {{
    default_type text/plain;
    return 200 "$server_protocol $ssl_protocol\\n";
}}
location = /status {{
    stub_status;
}}
"""


def write(folder, name, text):
    with open(os.path.join(folder, name), "wb") as f:
        f.write(text if isinstance(text, bytes) else text.encode())


def openssl(folder, *arguments):
    done = subprocess.run(["openssl", *arguments], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"openssl {' '.join(arguments)}:\n{done.stderr}")


def make_certificates(folder):
    write(folder, "openssl.conf", "[req]\ndistinguished_name = dn\n[dn]\n")
    key = ["-config", "openssl.conf", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    openssl(folder, "req", *key, "-x509", "-keyout", "ca.key", "-out", "ca.pem", "-days", "30",
            "-subj", "/CN=Authority of the tests", "-addext", "basicConstraints=critical,CA:TRUE",
            "-addext", "keyUsage=critical,keyCertSign", "-addext", "subjectKeyIdentifier=hash")
    for name, (hosts, days) in CERTIFICATES.items():
        openssl(folder, "req", *key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}",
                "-addext", f"subjectAltName={hosts}", "-addext", "basicConstraints=critical,CA:FALSE")
        openssl(folder, "x509", "-req", "-in", f"{name}.csr", "-out", f"{name}.pem", "-days", str(days),
                "-CA", "ca.pem", "-CAkey", "ca.key", "-copy_extensions", "copy")


def make_files(folder):
    files = os.path.join(folder, "files")
    os.mkdir(files)
    write(files, "1k.txt", "".join(f"{i:06d} 56789012345678901234567\n" for i in range(32)))
    pattern = bytes(i * i // 7 % 256 for i in range(65537))
    write(files, "1m.bin", (pattern * 16)[: 1 << 20])
    write(files, "text.txt", "".join(f"This is line {i} of a text that compresses well.\n" for i in range(2000)))


def prepare(folder, ports):
    """Writes everything for ports {"plain", "tls", "wrong", "expired"}; returns the command that runs nginx."""
    make_certificates(folder)
    make_files(folder)
    servers = "".join(TLS_SERVER.format(folder=folder, name=name, port=ports[name]) for name in CERTIFICATES)
    write(folder, "paths.conf", PATHS.format(folder=folder, here=HERE))
    write(folder, "nginx.conf", CONFIGURATION.format(folder=folder, servers=servers, plain=ports["plain"]))
    return ["-p", folder, "-e", os.path.join(folder, "error.log"), "-c", os.path.join(folder, "nginx.conf")]
