"""Certificates for servers and their clients, made by openssl for one test: an authority "ours", one "theirs" that nobody trusts."""
import os
import shutil
import tempfile

import pytest

from .processes import give_to_server_user, run

CA = """[ca]
default_ca = ours
[ours]
database = {folder}/index
new_certs_dir = {folder}
default_md = sha256
rand_serial = yes
policy = any
[any]
commonName = supplied
"""


def openssl(*arguments):
    done = run(["openssl", *arguments])
    assert done.returncode == 0, done.stderr.decode()


def authority(folder, name):
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", f"/CN={name}",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-keyout", f"{folder}/{name}.key", "-out", f"{folder}/{name}.crt")


def request(folder, name, host):
    """host: the name that the certificate shall hold, or the address."""
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={host}", "-keyout", f"{folder}/{name}.key",
            "-out", f"{folder}/{name}.csr")
    with open(f"{folder}/{name}.ext", "w") as file:
        file.write(f"subjectAltName={'IP' if host[0].isdigit() else 'DNS'}:{host}\n")
    give_to_server_user(f"{folder}/{name}.key")


def certificate(folder, name, host, signer="ours"):
    request(folder, name, host)
    openssl("x509", "-req", "-in", f"{folder}/{name}.csr", "-CA", f"{folder}/{signer}.crt", "-CAkey", f"{folder}/{signer}.key",
            "-set_serial", "2", "-extfile", f"{folder}/{name}.ext", "-out", f"{folder}/{name}.crt", "-days", "1")


def expired(folder, name, host):
    """It was good for one day, long ago."""
    request(folder, name, host)
    open(f"{folder}/index", "w").close()
    with open(f"{folder}/ca.conf", "w") as file:
        file.write(CA.format(folder=folder))
    openssl("ca", "-batch", "-config", f"{folder}/ca.conf", "-cert", f"{folder}/ours.crt", "-keyfile", f"{folder}/ours.key",
            "-notext", "-in", f"{folder}/{name}.csr", "-extfile", f"{folder}/{name}.ext", "-out", f"{folder}/{name}.crt",
            "-startdate", "20200101000000Z", "-enddate", "20200102000000Z")


def servers(folder, name):
    """Options of a Redis that shows that certificate to clients and to other servers, and knows ours by ours.crt."""
    return ["--tls-cert-file", f"{folder}/{name}.crt", "--tls-key-file", f"{folder}/{name}.key",
            "--tls-ca-cert-file", f"{folder}/ours.crt", "--tls-auth-clients", "no"]


def fleet(folder, port):
    """Options of one of several Redis on 127.0.0.1 that talk to each other by TLS only; plain ones without a folder."""
    if not folder:
        return ["--port", str(port)]
    return ["--port", "0", "--tls-port", str(port), "--tls-replication", "yes", *servers(folder, "address")]


def url(kind, addresses, folder):
    return f"rediss+{kind}://{addresses}?cacert={folder}/ours.crt" if folder else f"redis+{kind}://{addresses}"


def trusting(folder):
    """What redis-py wants to be told; nothing without a folder."""
    return {"ssl": True, "ssl_ca_certs": f"{folder}/ours.crt"} if folder else {}


def make(workspace):
    """A folder with both authorities, and certificates "good" of localhost, "address" of 127.0.0.1 and "other" of db.example."""
    if not shutil.which("openssl"):
        pytest.skip("there is no openssl here")
    folder = tempfile.mkdtemp(prefix="tls-", dir=workspace)
    os.chmod(folder, 0o755)
    authority(folder, "ours")
    authority(folder, "theirs")
    certificate(folder, "good", "localhost")
    certificate(folder, "address", "127.0.0.1")
    certificate(folder, "other", "db.example")
    return folder
