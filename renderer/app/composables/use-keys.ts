import { onBeforeUnmount, onMounted } from 'vue';

const typing = 'input:not([type=checkbox]):not([type=radio]):not([type=range]), textarea, select, [contenteditable]';

/**
 * Single-key commands of a screen: `{ p: pass, ArrowLeft: back, ' ': next }`. They rest while a person types, while a
 * dialog is open and with Ctrl, Alt or Meta held; a button in focus keeps Space and Enter for itself.
 */
export function useKeys(keys: Readonly<Record<string, (event: KeyboardEvent) => void>>): void {
  function onKey(event: KeyboardEvent): void {
    if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey) return;
    const target = event.target instanceof Element ? event.target : null;
    const within = (selector: string): boolean => (target?.closest(selector) ?? null) !== null;
    if (within(typing)) return;
    if (document.querySelector('[role=dialog],[role=alertdialog]') !== null) return;
    const onControl = within('button, a, summary, [role=tab], [role=slider], [role=option]');
    if (onControl && (event.key === ' ' || event.key === 'Enter')) return;
    if (event.key.startsWith('Arrow') && within('[role=slider], [role=tab], [role=grid], fieldset, input[type=range]'))
      return;
    const run = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    // A held key answers once; held arrows run on.
    if (run === undefined || (event.repeat && !event.key.startsWith('Arrow'))) return;
    event.preventDefault();
    run(event);
  }
  onMounted(() => window.addEventListener('keydown', onKey));
  onBeforeUnmount(() => window.removeEventListener('keydown', onKey));
}
