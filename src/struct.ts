/** How one field lies in a C struct: what it is, or an array of it. */
export type FieldType =
  | "u32"
  | "i32"
  | "u64"
  | "i64"
  | "string"
  | `bytes${number}`
  | `u32x${number}`;

/** What a field decodes to. */
type Decoded<T> = T extends "u32" | "i32" ? number
  : T extends "u64" | "i64" ? bigint
  : T extends "string" ? string
  : T extends `bytes${number}` ? Uint8Array
  : number[];

/** What a struct decodes to. */
export type Fields<T> = { -readonly [K in keyof T]: Decoded<T[K]> };

interface Place {
  name: string;
  type: FieldType;
  offset: number;
  size: number;
}

/** Where a string note's text is found. */
export type Strings = (offset: number) => string;

/**
 * A C struct: its fields in order, at the offsets where a C compiler puts them. Missing bytes at the end
 * read as zero, further ones are left alone: both older and newer writers are understood.
 */
export class Struct<const T extends Record<string, FieldType>> {
  /** The name in the C header. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** Every field with its offset and size. */
  readonly places: readonly Place[];

  constructor(name: string, fields: T) {
    let offset = 0;
    let most = 1;
    const places = Object.entries(fields).map(([name, type]): Place => {
      const { size, align } = measure(type);
      offset = Math.ceil(offset / align) * align;
      most = Math.max(most, align);
      const place = { name, type, offset, size };
      offset += size;
      return place;
    });
    this.name = name;
    this.places = places;
    this.size = Math.ceil(offset / most) * most;
  }

  /** Decodes the struct that these bytes begin with. */
  decode(bytes: Uint8Array, strings: Strings = noStrings): Fields<T> {
    let view = bytes;
    if (bytes.length < this.size) {
      view = new Uint8Array(this.size);
      view.set(bytes);
    }
    const data = new DataView(view.buffer, view.byteOffset, this.size);
    return Object.fromEntries(
      this.places.map((place) => [place.name, decodeField(data, place, strings)]),
    ) as Fields<T>;
  }

  /** Encodes numbers and bytes, which must fit; what is not given is zero. */
  encode(values: { [K in keyof T]?: number | bigint | Uint8Array }): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(this.size);
    const data = new DataView(bytes.buffer);
    for (const { name, size, offset } of this.places) {
      const value = values[name];
      if (value === undefined) continue;
      if (value instanceof Uint8Array) bytes.set(value.subarray(0, size), offset);
      else if (size === 8) data.setBigUint64(offset, BigInt(value), true);
      else data.setUint32(offset, Number(value), true);
    }
    return bytes;
  }
}

function measure(type: FieldType): { size: number; align: number } {
  if (type === "u64" || type === "i64") return { size: 8, align: 8 };
  if (type.startsWith("bytes")) return { size: Number(type.slice(5)), align: 1 };
  if (type.startsWith("u32x")) return { size: 4 * Number(type.slice(4)), align: 4 };
  return { size: 4, align: 4 };
}

function decodeField(data: DataView, place: Place, strings: Strings): unknown {
  const { type, offset, size } = place;
  switch (type) {
    case "u32":
      return data.getUint32(offset, true);
    case "i32":
      return data.getInt32(offset, true);
    case "u64":
      return data.getBigUint64(offset, true);
    case "i64":
      return data.getBigInt64(offset, true);
    case "string":
      return strings(data.getUint32(offset, true));
  }
  if (type.startsWith("bytes")) {
    return new Uint8Array(data.buffer, data.byteOffset + offset, size).slice();
  }
  return Array.from({ length: size / 4 }, (_, i) => data.getUint32(offset + 4 * i, true));
}

function noStrings(): string {
  return "";
}
