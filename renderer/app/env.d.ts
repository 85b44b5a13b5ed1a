/// <reference types="vite/client" />

interface ImportMetaEnv {
  /** Where pictures come from in a plain browser (tests); the station's own protocol otherwise. */
  readonly VITE_PICTURE_ROOT?: string;
}
