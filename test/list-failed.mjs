// Reporter for Vitest and for Playwright alike: writes one line per failed test to the file named by FAILED_TESTS_FILE,
// so that test/run-all.mjs can name them at its very end, where a cut-off log still shows them.
import { appendFileSync } from 'node:fs';
import { relative } from 'node:path';
import { stripVTControlCharacters } from 'node:util';

/** The first line of an error that says something, at most 160 characters. */
function firstLine(error) {
  const text = stripVTControlCharacters(String(error?.message ?? error?.value ?? error ?? 'no error given'));
  const line = text.split('\n').find((part) => part.trim() !== '') ?? 'no message';
  return line.trim().slice(0, 160);
}

/** @param {string} where file and names of the test, or what else failed */
function note(where, error) {
  const file = process.env['FAILED_TESTS_FILE'];
  if (file !== undefined) appendFileSync(file, `${where}: ${firstLine(error)}\n`);
}

class ListFailed {
  /** Vitest, when all is done. Errors outside any test (a dead worker, a rejected promise) make the run fail, too. */
  onTestRunEnd(modules, unhandled) {
    for (const module of modules) {
      const file = relative(process.cwd(), module.moduleId);
      for (const error of module.errors()) note(file, error);
      if (['queued', 'pending'].includes(module.state())) note(file, 'did not come to its end');
      for (const suite of module.children.allSuites()) {
        for (const error of suite.errors()) note(`${file} > ${suite.fullName}`, error);
      }
      for (const test of module.children.allTests('failed')) {
        note(`${file} > ${test.fullName}`, test.result().errors?.[0]);
      }
    }
    for (const error of unhandled) {
      const file = error.VITEST_TEST_PATH;
      note(
        `${file === undefined ? 'outside any test' : relative(process.cwd(), file)} > unhandled`,
        error.cause ?? error,
      );
    }
  }

  /** Playwright, after each test. */
  onTestEnd(test, result) {
    if (result.status === test.expectedStatus || result.status === 'skipped') return;
    note(`${relative(process.cwd(), test.location.file)} > ${test.title}`, result.error ?? result.status);
  }

  /** Playwright, errors outside any test. */
  onError(error) {
    note('outside any test', error);
  }

  /** Playwright asks; its own list reporter does the printing. */
  printsToStdio() {
    return false;
  }
}
export { ListFailed as default };
