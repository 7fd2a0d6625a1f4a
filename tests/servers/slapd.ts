/**
 * slapd with LMDB: a database that is mapped, with a table of its readers and a robust lock for its writer in another mapped file.
 *
 * @module
 */
import type { Server } from "../programs_servers.ts";
import { type Connect, contents, expect, type Session } from "./ledger.ts";
import { Wire } from "./wire.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

enum Tag {
  BOOLEAN = 1,
  INTEGER = 2,
  STRING = 4,
  ENUMERATED = 10,
  SEQUENCE = 0x30,
  SET = 0x31,
  BIND = 0x60,
  SEARCH = 0x63,
  FOUND = 0x64,
  ADD = 0x68,
  PASSWORD = 0x80,
  PRESENT = 0x87,
}

const SUCCESS = 0, NO_SUCH_OBJECT = 32, ALREADY_EXISTS = 68;

/** A value of BER, up to 64 KiB. */
function ber(tag: Tag, ...parts: (number[] | string)[]): number[] {
  const all = parts.flatMap((part) => typeof part === "string" ? [...encoder.encode(part)] : part);
  const { length } = all;
  return [tag, ...length < 128 ? [length] : [0x82, length >> 8, length & 255], ...all];
}

const text = (words: string) => ber(Tag.STRING, words);

function attribute(name: string, ...values: string[]): number[] {
  return ber(Tag.SEQUENCE, text(name), ber(Tag.SET, ...values.map(text)));
}

/** The next value: its contents. */
async function value(wire: Wire): Promise<Uint8Array> {
  let length = (await wire.bytes(2))[1]!;
  if (length & 128) {
    length = (await wire.bytes(length & 127)).reduce((sum, byte) => sum * 256 + byte, 0);
  }
  return await wire.bytes(length);
}

interface Answer {
  tag: Tag;
  /** What an entry consists of. */
  body: Uint8Array;
  /** Of any other. */
  code: number;
}

/** What follows the number of the message, which has one byte. */
async function answer(wire: Wire): Promise<Answer> {
  const message = await value(wire);
  const long = message[4]! & 128 ? message[4]! & 127 : 0;
  const body = message.subarray(5 + long);
  return { tag: message[3]!, body, code: body[2]! };
}

const connect: Connect = async (port, client): Promise<Session> => {
  const wire = await Wire.to(port);
  let mayBeThere = 0;
  const nameOf = (n: number) => `cn=${client}-${n},dc=test`;

  async function ask(operation: number[]): Promise<Answer> {
    await wire.send(new Uint8Array(ber(Tag.SEQUENCE, ber(Tag.INTEGER, [1]), operation)));
    return await answer(wire);
  }

  /** Whether an entry is there, with the right contents. */
  async function isThere(n: number): Promise<boolean> {
    const number = (tag: Tag) => ber(tag, [0]);
    const found = await ask(ber(
      Tag.SEARCH,
      text(nameOf(n)),
      number(Tag.ENUMERATED), // this one alone
      number(Tag.ENUMERATED),
      number(Tag.INTEGER),
      number(Tag.INTEGER),
      ber(Tag.BOOLEAN, [0]),
      ber(Tag.PRESENT, "objectClass"),
      ber(Tag.SEQUENCE),
    ));
    if (found.tag !== Tag.FOUND) {
      expect(found.code, NO_SUCH_OBJECT, `the result of a search for ${nameOf(n)}`);
      return false;
    }
    const has = decoder.decode(found.body).includes(`<${contents(client, n)}>`);
    expect(has, true, `that ${nameOf(n)} has its contents`);
    expect((await answer(wire)).code, SUCCESS, "the end of a search");
    return true;
  }

  const bound = await ask(
    ber(Tag.BIND, ber(Tag.INTEGER, [3]), text("cn=root,dc=test"), ber(Tag.PASSWORD, "secret")),
  );
  expect(bound.code, SUCCESS, "the result of a bind");
  return {
    count: async (from, to) => {
      mayBeThere = to;
      let count = from;
      while (count <= to && await isThere(count + 1)) count++;
      return count;
    },
    add: async (n) => {
      const { code } = await ask(ber(
        Tag.ADD,
        text(nameOf(n)),
        ber(
          Tag.SEQUENCE,
          attribute("objectClass", "device"),
          attribute("cn", `${client}-${n}`),
          attribute("description", `<${contents(client, n)}>`),
        ),
      ));
      if (n > mayBeThere || code !== ALREADY_EXISTS) {
        expect(code, SUCCESS, `the result of adding ${nameOf(n)}`);
      }
    },
    verify: async (count) => {
      for (let n = 1; n <= count; n++) expect(await isThere(n), true, `that ${nameOf(n)} is there`);
      expect(await isThere(count + 1), false, `that ${nameOf(count + 1)} is there`);
    },
    close: () => wire.close(),
  };
};

const start = "slapd -d 0 -f slapd.conf -h ldap://127.0.0.1:$PORT";

export const slapd: Server = {
  name: "slapd",
  command: `sh -c 'mkdir database && sed "s,HERE,$PWD," ../input/slapd.conf > slapd.conf &&
    slapadd -f slapd.conf -l ../input/root.ldif && exec ${start}'`,
  again: start,
  needs: { slapd: "slapd" },
  inputs: {
    "slapd.conf": `include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile HERE/pid
threads 8
database mdb
suffix "dc=test"
rootdn "cn=root,dc=test"
rootpw secret
directory HERE/database
maxsize 104857600
`,
    "root.ldif": `dn: dc=test
objectClass: dcObject
objectClass: organization
dc: test
o: test
`,
  },
  inPlace: true,
  connect,
};
