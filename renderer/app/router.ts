import { createRouter, createWebHashHistory, type RouteRecordRaw } from 'vue-router';
import type { Role } from '../../shared/station/domain.ts';
import InspectView from './views/inspect/InspectView.vue';

declare module 'vue-router' {
  interface RouteMeta {
    /** Least role that can use the screen. */
    role: Role;
  }
}

/** The operator's screen is in the first bundle; the others load when somebody goes there. */
const routes: RouteRecordRaw[] = [
  { path: '/', redirect: '/inspect' },
  { path: '/inspect', name: 'inspect', component: InspectView, meta: { role: 'operator' } },
  { path: '/label', name: 'label', component: () => import('./views/label/LabelView.vue'), meta: { role: 'operator' } },
  {
    path: '/project/:step?',
    name: 'projects',
    component: () => import('./views/projects/ProjectsView.vue'),
    meta: { role: 'operator' },
  },
  { path: '/train', name: 'train', component: () => import('./views/train/TrainView.vue'), meta: { role: 'engineer' } },
  {
    path: '/thresholds',
    name: 'thresholds',
    component: () => import('./views/thresholds/ThresholdsView.vue'),
    meta: { role: 'quality' },
  },
  {
    // Operators see what they have to judge; planning and results are for engineers and quality.
    path: '/study/:studyId?/:appraiser?',
    name: 'study',
    component: () => import('./views/study/StudyView.vue'),
    meta: { role: 'operator' },
  },
  {
    path: '/history',
    name: 'history',
    component: () => import('./views/history/HistoryView.vue'),
    meta: { role: 'operator' },
  },
  {
    path: '/settings',
    name: 'settings',
    component: () => import('./views/settings/SettingsView.vue'),
    meta: { role: 'operator' },
  },
  { path: '/:rest(.*)*', redirect: '/inspect' },
];

export const router = createRouter({ history: createWebHashHistory(), routes });
