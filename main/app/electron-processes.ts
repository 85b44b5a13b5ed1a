import { utilityProcess } from 'electron';
