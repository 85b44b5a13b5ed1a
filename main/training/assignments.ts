import { UserError } from '../../shared/errors.ts';

/** Kinds of data that the papers train differently (method-spec sections 0 and 7). */
export const dataKinds = ['general', 'real-iad'] as const;
export type DataKind = (typeof dataKinds)[number];

/** `key=value` assignments as commands take them. @throws UserError `settingInvalid` */
export function parseAssignments(texts: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(
    texts.map((text): [string, unknown] => {
      const at = text.indexOf('=');
      const key = text.slice(0, at);
      if (at < 1 || !/^[A-Za-z][\w.]*$/.test(key)) {
        throw new UserError(
          'settingInvalid',
          `"${text}" is no setting.`,
          'Write NAME=VALUE, such as --set schedule.total=5000.',
        );
      }
      const value = text.slice(at + 1);
      try {
        return [key, JSON.parse(value) as unknown];
      } catch {
        return [key, value];
      }
    }),
  );
}
