/** Pictures of a data set as the detector's two flows see them. */

export type Split = 'train' | 'calibration' | 'test';

export interface PictureRef {
  /** Absolute path. */
  path: string;
  className: string;
  split: Split;
  gtLabel: 'good' | 'defect';
  /** Name of the defect folder; absent for good pictures. */
  defectType?: string;
  /** Absolute path of the ground-truth mask; absent where there is none. */
  maskPath?: string;
  /** Lot, serial or the like: pictures of one group stay on one side of a split. */
  group?: string;
}

export interface Dataset {
  /** Class names, sorted, each once. */
  classes: string[];
  /** Sorted by class, split, path: the same folder gives the same list everywhere. */
  pictures: PictureRef[];
  /** Things a person should know (identical pictures in train and test, duplicates, ...). */
  warnings: string[];
}
