"""ActiveMQ (Classic), as Debian packages it, where it is installed: STOMP alone, no console and no JMX."""

from __future__ import annotations

import re
import shutil
import zipfile
from pathlib import Path
from xml.sax.saxutils import escape

from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    load_pem_private_key,
    pkcs12,
)

HOME = Path("/usr/share/activemq")
JAR = HOME / "bin" / "activemq.jar"
PACKAGE = "activemq"
ABSENT = f"activemq is not installed: apt-get install {PACKAGE}"
PASSWORD = "changeit"

# Users are asked for: by default everybody may come in, and a wrong passcode would be none.
CONFIGURATION = """\
<beans xmlns="http://www.springframework.org/schema/beans"
       xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
       xsi:schemaLocation="
         http://www.springframework.org/schema/beans http://www.springframework.org/schema/beans/spring-beans.xsd
         http://activemq.apache.org/schema/core http://activemq.apache.org/schema/core/activemq-core.xsd">
  <broker xmlns="http://activemq.apache.org/schema/core" brokerName="localhost" useJmx="false"
          dataDirectory="{folder}/data">
    <persistenceAdapter><kahaDB directory="{folder}/data/kahadb"/></persistenceAdapter>
    <plugins>
      <simpleAuthenticationPlugin>
        <users><authenticationUser username="guest" password="guest" groups="users"/></users>
      </simpleAuthenticationPlugin>
    </plugins>
{tls}
    <transportConnectors>
      {connectors}
    </transportConnectors>
  </broker>
</beans>
"""
CONNECTOR = '<transportConnector name="{scheme}" uri="{scheme}://127.0.0.1:{port}"/>'
TLS = """\
    <sslContext>
      <sslContext keyStore="file:{store}" keyStoreType="PKCS12" keyStorePassword="{password}"/>
    </sslContext>"""
LOG = """\
log4j.rootLogger=INFO, console
log4j.appender.console=org.apache.log4j.ConsoleAppender
log4j.appender.console.layout=org.apache.log4j.PatternLayout
log4j.appender.console.layout.ConversionPattern=%d %-5p %c{1}: %m%n
"""


def installed() -> bool:
    return JAR.exists() and shutil.which("java") is not None


def version() -> str:
    """The version that is installed, from the manifest of its library."""
    with zipfile.ZipFile(HOME / "lib" / "activemq-broker.jar") as jar:
        manifest = jar.read("META-INF/MANIFEST.MF").decode()
    found = re.search(r"^(?:Implementation|Bundle)-Version: *(\S+)", manifest, re.MULTILINE)
    return found[1] if found else "unknown"


def command(
    folder: Path, port: int, tls_port: int | None = None, certificates: Path | None = None
) -> tuple[str, ...]:
    """What starts it in the foreground, its configuration written to the folder.

    tls_port, certificates -- a second port, and the folder of its server.pem and server.key
    """
    connectors = CONNECTOR.format(scheme="stomp", port=port)
    tls = ""
    if tls_port is not None and certificates is not None:
        connectors += CONNECTOR.format(scheme="stomp+ssl", port=tls_port)
        store = folder / "server.p12"
        store.write_bytes(key_store(certificates))
        tls = TLS.format(store=escape(str(store)), password=PASSWORD)
    configuration = CONFIGURATION.format(folder=escape(str(folder)), connectors=connectors, tls=tls)
    (folder / "activemq.xml").write_text(configuration)
    (folder / "log4j.properties").write_text(LOG)
    (folder / "tmp").mkdir(exist_ok=True)
    return (
        "java",
        "-Xms64m",
        "-Xmx512m",
        "-XX:-UsePerfData",  # which would be a file outside of the folder
        f"-Djava.io.tmpdir={folder}/tmp",
        f"-Dactivemq.home={HOME}",
        f"-Dactivemq.base={folder}",
        f"-Dactivemq.conf={folder}",
        f"-Dactivemq.data={folder}/data",
        f"-Dactivemq.classpath={folder}",
        f"-Dlog4j.configuration=file:{folder}/log4j.properties",
        "-jar",
        str(JAR),
        "start",
        "xbean:activemq.xml",
    )


def key_store(certificates: Path) -> bytes:
    """The key and the certificate of a server as Java reads them."""
    key = load_pem_private_key((certificates / "server.key").read_bytes(), None)
    own, *chain = x509.load_pem_x509_certificates((certificates / "server.pem").read_bytes())
    # The library's type of keys that may be in a store leaves out Diffie and Hellman's, which no server has.
    return pkcs12.serialize_key_and_certificates(
        b"server",
        key,  # type: ignore[arg-type]
        own,
        chain,
        BestAvailableEncryption(PASSWORD.encode()),
    )
