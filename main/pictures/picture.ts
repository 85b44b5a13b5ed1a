/** A decoded picture: 8-bit RGB, row-major, no padding. */
export interface Picture {
  width: number;
  height: number;
  /** `[height, width, 3]` */
  data: Uint8Array;
}

/** What the network sees: `[size, size, 3]` 8-bit RGB after region, ignore mask and resize. */
export interface PreparedPicture extends Picture {
  /** sha256 of `data`: the same pixels have the same key on every path. */
  pixelHash: string;
}
