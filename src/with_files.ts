/**
 * Of which open files an image carries the contents: all (`true`), none (`false`), or those whose paths match a
 * pattern or one of several. `*` stands for any characters, slashes included, and `?` for one; a pattern without
 * a slash is held against the last part of a path.
 */
export type WithFiles = boolean | string | readonly string[];

/** Bytes that libckpt takes, with the zero at the end. */
const MOST = 1024;

/** The patterns as CKPT_WITH_FILES has them. Throws a TypeError for what cannot be one. */
export function filePatterns(files: WithFiles = false): string {
  const patterns = files === true ? "*" : files === false ? "" : [files].flat().join(":");
  if (patterns.includes("\0") || new TextEncoder().encode(patterns).length >= MOST) {
    throw new TypeError(
      `Not patterns of files: they have a zero byte or more than ${MOST - 1} bytes`,
    );
  }
  return patterns;
}
