import { customRef, type Ref } from 'vue';

/**
 * Text that a person is typing, kept on this machine until it's emptied: a crash of the window loses no word of it.
 * @param name what the text is for; another name is another text
 */
export function useKeptText(name: () => string): Ref<string> {
  const key = (): string => `twinspect.typed.${name()}`;
  return customRef((track, trigger) => ({
    get() {
      track();
      return localStorage.getItem(key()) ?? '';
    },
    set(text) {
      if (text === '') localStorage.removeItem(key());
      else localStorage.setItem(key(), text);
      trigger();
    },
  }));
}
