import { openStore, type Store } from '../../main/store/store.ts';

/** Opens a store whose process kills itself before the given statement of the database, counted from 1. */
export async function openDyingStore(folder: string, step: number): Promise<Store> {
  const store = await openStore(folder);
  let left = step;
  const { database } = store;
  const [run, exec] = [database.run.bind(database), database.exec.bind(database)];
  function count(): void {
    left -= 1;
    if (left === 0) process.kill(process.pid, 'SIGKILL');
  }
  database.run = (...given) => {
    count();
    return run(...given);
  };
  database.exec = (sql) => {
    count();
    exec(sql);
  };
  return store;
}
