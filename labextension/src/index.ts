import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';

/** Activates in JupyterLab and Notebook 7 alike; it requires no optional service. */
const plugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-oauthconn:plugin',
  description: 'OAuth connections in JupyterLab and Jupyter Notebook.',
  autoStart: true,
  activate: (app: JupyterFrontEnd): void => {
    void app;
  }
};

export default plugin;
