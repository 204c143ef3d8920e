// One ts-mls client that speaks JSON lines: a request on stdin, its answer on stdout, bytes as hexadecimal.
// The first line is the client's identity; the requests are those of examples/openmls_peer.

import { createInterface } from "node:readline"
import {
  acceptAll,
  createApplicationMessage,
  createCommit,
  createGroup,
  createGroupInfoWithExternalPubAndRatchetTree,
  createProposal,
  decodeMlsMessage,
  defaultCapabilities,
  emptyPskIndex,
  encodeMlsMessage,
  generateKeyPackageWithKey,
  getCiphersuiteFromName,
  getCiphersuiteImpl,
  joinGroup,
  joinGroupExternal,
  mlsExporter,
  processPrivateMessage,
  processPublicMessage,
} from "ts-mls"

const suite = await getCiphersuiteImpl(getCiphersuiteFromName("MLS_128_DHKEMP256_AES128GCM_SHA256_P256"))
const hex = (octets) => Buffer.from(octets).toString("hex")
const octets = (text) => new Uint8Array(Buffer.from(text, "hex"))

let device
let keys
let state
let pending

function adopt(identity) {
  device = {
    credential: { credentialType: "x509", certificates: identity.chain.map(octets) },
    // ts-mls generates compressed points where RFC 9420 §5.1.1 wants uncompressed ones: the keys come from outside.
    signatureKeyPair: { signKey: octets(identity.private), publicKey: octets(identity.public) },
  }
}

function generateKeyPackage() {
  const now = BigInt(Math.floor(Date.now() / 1000))
  const lifetime = { notBefore: now - 3600n, notAfter: now + 86400n }
  return generateKeyPackageWithKey(
    device.credential, defaultCapabilities(), lifetime, [], device.signatureKeyPair, suite,
  )
}

const encode = (content) => hex(encodeMlsMessage({ version: "mls10", ...content }))

function decode(text, ...wireformats) {
  const encoded = octets(text)
  const decoded = decodeMlsMessage(encoded, 0)
  if (decoded === undefined || decoded[1] !== encoded.length) throw new Error("not one MLSMessage")
  if (!wireformats.includes(decoded[0].wireformat)) throw new Error(`unexpected ${decoded[0].wireformat}`)
  return decoded[0]
}

const addition = (message) => ({
  proposalType: "add",
  add: { keyPackage: decode(message, "mls_key_package").keyPackage },
})
const removal = (index) => ({ proposalType: "remove", remove: { removed: index } })

/** RFC 9420 §2.1.2, as in a certificate chain. */
function variableLength(length) {
  if (length < 0x40) return Uint8Array.of(length)
  if (length < 0x4000) return Uint8Array.of((length >> 8) | 0x40, length & 0xff)
  return Uint8Array.of((length >> 24) | 0x80, (length >> 16) & 0xff, (length >> 8) & 0xff, length & 0xff)
}

const chainContent = (chain) => Buffer.concat(chain.flatMap((der) => [variableLength(der.length), der]))

const operations = {
  async key_package() {
    keys = await generateKeyPackage()
    return { message: encode({ wireformat: "mls_key_package", keyPackage: keys.publicPackage }) }
  },
  async create({ group_id }) {
    keys = await generateKeyPackage()
    state = await createGroup(octets(group_id), keys.publicPackage, keys.privatePackage, [], suite)
    return {}
  },
  async join({ welcome }) {
    const message = decode(welcome, "mls_welcome")
    state = await joinGroup(message.welcome, keys.publicPackage, keys.privatePackage, emptyPskIndex, suite)
    return {}
  },
  async external_join({ group_info }) {
    const { groupInfo } = decode(group_info, "mls_group_info")
    keys = await generateKeyPackage()
    const joined = await joinGroupExternal(groupInfo, keys.publicPackage, keys.privatePackage, false, suite)
    state = joined.newState
    return { commit: encode({ wireformat: "mls_public_message", publicMessage: joined.publicMessage }) }
  },
  async commit({ add = [], remove = [], rotate }) {
    if (rotate) throw new Error("ts-mls 1.6.4 cannot commit a new signature key")
    const result = await createCommit({ state, cipherSuite: suite }, {
      wireAsPublicMessage: true,
      ratchetTreeExtension: true,
      extraProposals: [...add.map(addition), ...remove.map(removal)],
    })
    pending = result.newState
    const welcome = result.welcome && encode({ wireformat: "mls_welcome", welcome: result.welcome })
    return { commit: hex(encodeMlsMessage(result.commit)), welcome: welcome ?? null }
  },
  async merge() {
    state = pending
    return {}
  },
  async propose({ add, remove }) {
    if (add == null && remove == null) throw new Error("ts-mls 1.6.4 has no call for an Update proposal")
    const proposal = add == null ? removal(remove) : addition(add)
    const result = await createProposal(state, true, proposal, suite)
    state = result.newState
    return { message: hex(encodeMlsMessage(result.message)) }
  },
  async process({ message }) {
    const decoded = decode(message, "mls_public_message", "mls_private_message")
    const { publicMessage, privateMessage } = decoded
    const result = publicMessage
      ? await processPublicMessage(state, publicMessage, emptyPskIndex, suite, acceptAll)
      : await processPrivateMessage(state, privateMessage, emptyPskIndex, suite, acceptAll)
    state = result.newState
    if (result.kind === "applicationMessage") {
      const authenticated_data = hex(privateMessage.authenticatedData)
      return { kind: "application", data: hex(result.message), authenticated_data }
    }
    const kind = (publicMessage?.content ?? privateMessage).contentType
    return { kind, removed_self: state.groupActiveState.kind === "removedFromGroup" }
  },
  async encrypt({ data, authenticated_data }) {
    const aad = octets(authenticated_data ?? "")
    const result = await createApplicationMessage(state, octets(data), suite, aad)
    state = result.newState
    return { message: encode({ wireformat: "mls_private_message", privateMessage: result.privateMessage }) }
  },
  async group_info() {
    const groupInfo = await createGroupInfoWithExternalPubAndRatchetTree(state, [], suite)
    return { message: encode({ wireformat: "mls_group_info", groupInfo }) }
  },
  async state() {
    const leaves = state.ratchetTree.map((node, position) => ({ node, index: position / 2 }))
    const members = leaves.filter(({ node }) => node?.nodeType === "leaf").map(({ node, index }) => ({
      index,
      credential: hex(chainContent(node.leaf.credential.certificates)),
      signature_key: hex(node.leaf.signaturePublicKey),
    }))
    return {
      active: state.groupActiveState.kind === "active",
      epoch: Number(state.groupContext.epoch),
      epoch_authenticator: hex(state.keySchedule.epochAuthenticator),
      members,
    }
  },
  async export({ label, context, length }) {
    const secret = await mlsExporter(state.keySchedule.exporterSecret, label, octets(context), length, suite)
    return { secret: hex(secret) }
  },
}

for await (const line of createInterface({ input: process.stdin })) {
  const { op, ...request } = JSON.parse(line)
  if (device === undefined) {
    adopt(request)
    continue
  }
  let answer
  try {
    answer = await operations[op](request)
  } catch (error) {
    answer = { error: String(error) }
  }
  process.stdout.write(JSON.stringify(answer) + "\n")
}
