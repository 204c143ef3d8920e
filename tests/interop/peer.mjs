// An independent STIR peer: jose for the JWS, @peculiar for certificates and TNAuthList. One JSON request on standard
// input, one JSON answer on standard output; octets are base64.
import "reflect-metadata";
import { createHash, webcrypto } from "node:crypto";
import { text } from "node:stream/consumers";
import * as rfc8226 from "@peculiar/asn1-rfc8226";
import { AsnConvert } from "@peculiar/asn1-schema";
import * as x509 from "@peculiar/x509";
import { CompactSign, compactVerify } from "jose";

x509.cryptoProvider.set(webcrypto);

const ES256 = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const octets = (base64) => Buffer.from(base64, "base64");
const base64 = (buffer) => Buffer.from(buffer).toString("base64");
const sha256 = (buffer, form) => createHash("sha256").update(buffer).digest(form);

function entries(certificate) {
  const extension = certificate.getExtension(rfc8226.id_pe_TNAuthList);
  if (!extension) return null;
  return AsnConvert.parse(extension.value, rfc8226.TNAuthorizationList).map((entry) => {
    if (entry.one !== undefined) return { one: entry.one };
    if (entry.range !== undefined) return { start: entry.range.start, count: Number(entry.range.count) };
    return { spc: entry.spc };
  });
}

function covers(list, number) {
  return list.some((entry) => {
    if (entry.one !== undefined) return entry.one === number;
    if (entry.start === undefined || entry.start.length !== number.length) return false;
    const offset = BigInt(number) - BigInt(entry.start);
    return offset >= 0n && offset < BigInt(entry.count);
  });
}

async function verify({ token, chain, root, framed, now }) {
  const path = [...chain, root].map((der) => new x509.X509Certificate(octets(der)));
  const date = new Date(now * 1000);
  const steps = await Promise.all(
    path.map((certificate, at) =>
      certificate.verify({ publicKey: (path[at + 1] ?? certificate).publicKey, date }, webcrypto),
    ),
  );
  const built = await new x509.X509ChainBuilder({ certificates: path.slice(1) }).build(path[0]);
  const key = await path[0].publicKey.export(ES256, ["verify"], webcrypto);
  const { payload, protectedHeader } = await compactVerify(token, key, { algorithms: ["ES256"] });
  const claims = JSON.parse(Buffer.from(payload).toString("utf8"));
  const lists = path.map(entries);
  return {
    header: protectedHeader,
    claims,
    path: steps.every(Boolean) && built.length === path.length,
    lists,
    covered: lists.every((list) => list === null || covers(list, claims.orig.tn)),
    digest: claims.msgi === `sha256-${sha256(octets(framed), "base64")}`,
  };
}

async function certify({ name, issuer, signer, keys, numbers, ca, now }) {
  const extensions = [
    new x509.BasicConstraintsExtension(ca, ca ? 1 : undefined, true),
    new x509.KeyUsagesExtension(ca ? x509.KeyUsageFlags.keyCertSign : x509.KeyUsageFlags.digitalSignature, true),
    await x509.SubjectKeyIdentifierExtension.create(keys.publicKey, false, webcrypto),
  ];
  if (signer) extensions.push(await x509.AuthorityKeyIdentifierExtension.create(signer.publicKey, false, webcrypto));
  if (numbers) extensions.push(new x509.Extension(rfc8226.id_pe_TNAuthList, false, encoded(numbers)));
  return x509.X509CertificateGenerator.create(
    {
      subject: `CN=${name}`,
      issuer: `CN=${issuer}`,
      notBefore: new Date((now - 60) * 1000),
      notAfter: new Date((now + 86400) * 1000),
      signingAlgorithm: ES256,
      publicKey: keys.publicKey,
      signingKey: (signer ?? keys).privateKey,
      extensions,
    },
    webcrypto,
  );
}

function encoded(numbers) {
  const list = new rfc8226.TNAuthorizationList();
  for (const entry of numbers) {
    list.push(
      entry.one === undefined
        ? new rfc8226.TNEntry({ range: Object.assign(new rfc8226.TelephoneNumberRange(), entry) })
        : new rfc8226.TNEntry({ one: entry.one }),
    );
  }
  return AsnConvert.serialize(list);
}

async function sign({ number, range, dest, framed, base, now }) {
  const [rootKeys, issuerKeys, leafKeys] = await Promise.all(
    [0, 1, 2].map(() => webcrypto.subtle.generateKey(ES256, true, ["sign", "verify"])),
  );
  const names = { root: "Peer root", issuer: "Peer issuer", leaf: "Peer device" };
  const root = await certify({ name: names.root, issuer: names.root, keys: rootKeys, ca: true, now });
  const issuer = await certify({
    name: names.issuer, issuer: names.root, signer: rootKeys, keys: issuerKeys, numbers: [range], ca: true, now,
  });
  const leaf = await certify({
    name: names.leaf, issuer: names.issuer, signer: issuerKeys, keys: leafKeys, numbers: [{ one: number }], ca: false, now,
  });
  const x5u = `${base}/certificates/${sha256(Buffer.from(leaf.rawData), "hex")}.pem`;
  const claims = { dest, iat: now, msgi: `sha256-${sha256(octets(framed), "base64")}`, orig: { tn: number } };
  const token = await new CompactSign(Buffer.from(JSON.stringify(claims)))
    .setProtectedHeader({ alg: "ES256", ppt: "msg", typ: "passport", x5u })
    .sign(leafKeys.privateKey);
  return { token, chain: [leaf, issuer].map((each) => base64(each.rawData)), root: base64(root.rawData) };
}

const request = JSON.parse(await text(process.stdin));
const answer = await { verify, sign }[request.act](request);
process.stdout.write(JSON.stringify(answer));
